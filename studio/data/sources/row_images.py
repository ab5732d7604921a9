"""The images of rows: bytes, `data:` addresses and names of files, put into the store."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path, PurePath

from studio.core.errors import DataError
from studio.data.image_store import ImageStore
from studio.data.inline_images import inline_image
from studio.data.sources.file_census import ImageFiles
from studio.data.sources.image_name_matching import ImageFinder
from studio.data.sources.reader import Reader

REMEMBERED_NAMES = 20_000
CONTENT = ("bytes", "base64", "b64", "b64_json", "data")
NAMES = (
    "path", "file_name", "filename", "file", "image_path", "url", "src", "uri", "image",
    "image_url", "name",
)  # fmt: skip
"""What the content and the name of an image are called in an object that describes one."""
_DEEPEST = 4


class RowImages:
    """Puts raw image values into the store; remembers file names already stored.

    Attributes:
        used: The files that were found for names.
    """

    def __init__(self, store: ImageStore, reader: Reader) -> None:
        self._store, self._reader = store, reader
        self._named_by_content = reader.named_by_content
        self._finder = ImageFinder()
        self._known: dict[tuple[Path | None, str], str] = {}
        self.used = ImageFiles()

    def __call__(self, value: object) -> str:
        if not isinstance(value, str):
            value = _plain(value)
        if isinstance(value, bytes):
            return self._store.add(value)
        if isinstance(value, str) and value:
            content = inline_image(value)
            return self._named(value) if content is None else self._store.add(content)
        raise DataError("the image is missing.", field="image")

    def _named(self, name: str) -> str:
        # Hashed when it came in; a stranger's file may have any name, and is hashed.
        if self._named_by_content and self._store.has(sha := PurePath(name).stem):
            return sha
        key = (self._reader.folder, name)
        if key not in self._known:
            if len(self._known) >= REMEMBERED_NAMES:
                self._known.clear()
            path = self._finder.find(self._reader.image_folders, name)
            try:
                self._known[key] = self._store.add(path)
            except DataError as error:
                self.used.refused[path] = error.message.rstrip(".")
                raise
            self.used.add(path)
        return self._known[key]


def _plain(value: object, depth: int = 0) -> object:
    """The bytes or the name in what a row has for an image. Raises DataError."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, dict) and depth < _DEEPEST:
        return _plain(_described(value), depth + 1)
    if isinstance(value, (list, tuple)) and value:
        return _of_list(value, depth)
    if isinstance(value, (int, float)):
        raise DataError(
            f"the number {value!r} stands where the name of an image file is expected.",
            field="image",
        )
    return value


def _described(value: dict[str, object]) -> object:
    """The content of an image that an object describes, else its name."""
    for key in CONTENT:
        if (content := value.get(key)) and (found := _content(content, key)) is not None:
            return found
    return next((value[key] for key in NAMES if value.get(key)), None)


def _content(content: object, key: str) -> object:
    if not isinstance(content, str):
        return content
    if (decoded := inline_image(content)) is not None or key == "data":
        return decoded
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"the base64 of the image is damaged: {error}.", field="image") from error


def _of_list(value: list[object] | tuple[object, ...], depth: int) -> object:
    """The image in a list: one alone, or its bytes as numbers; pixels are refused."""
    first = value[0]
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    if isinstance(first, (int, float)) and not isinstance(first, bool):
        if isinstance(value[0], (list, tuple)):
            raise DataError(
                "the image is given as numbers of pixels; save it as a PNG file or its bytes.",
                field="image",
            )
        return _of_numbers(value)
    if len(value) == 1 and depth < _DEEPEST:
        return _plain(value[0], depth + 1)
    raise DataError(f"{len(value)} images stand where one is expected.", field="image")


def _of_numbers(value: list[object] | tuple[object, ...]) -> bytes:
    if all(isinstance(one, int) and 0 <= one < 256 for one in value):
        return bytes(one for one in value if isinstance(one, int))
    raise DataError(
        "the image is a list of numbers, and no file's bytes; save it as a PNG file.", field="image"
    )
