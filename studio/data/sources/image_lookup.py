"""The images of rows: bytes, `data:` addresses and names of files, put into the store."""

from __future__ import annotations

from pathlib import Path, PurePath

from studio.core.errors import DataError
from studio.data.image_store import ImageStore, resolve_inside
from studio.data.inline_images import inline_image
from studio.data.sources.reader import Reader

REMEMBERED_NAMES = 20_000


class RowImages:
    """Puts raw image values into the store; remembers file names already stored."""

    def __init__(self, store: ImageStore, reader: Reader) -> None:
        self._store, self._folder = store, reader.folder
        self._named_by_content = reader.named_by_content
        self._known: dict[str, str] = {}
        self.used: set[Path] = set()

    def __call__(self, value: object) -> str:
        if isinstance(value, dict):
            content, name = value.get("bytes"), value.get("path") or value.get("url")
            value = content if content else name
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._store.add(bytes(value))
        if isinstance(value, str) and value:
            content = inline_image(value)
            return self._named(value) if content is None else self._store.add(content)
        raise DataError("the image is missing.", field="image")

    def _named(self, name: str) -> str:
        # Hashed when it came in; a stranger's file may have any name, and is hashed.
        if self._named_by_content and self._store.has(sha := PurePath(name).stem):
            return sha
        if name not in self._known:
            if self._folder is None:
                raise DataError(
                    f"the image {name[:80]!r} is only named, not included.", field="image"
                )
            if len(self._known) >= REMEMBERED_NAMES:
                self._known.clear()
            path = resolve_inside(self._folder, name)
            self._known[name] = self._store.add(path)
            self.used.add(path)
        return self._known[name]
