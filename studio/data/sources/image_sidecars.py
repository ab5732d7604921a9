"""Images with notes beside them: captions, fields and classes in files of the same name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from studio.core.errors import DataError
from studio.data.schema import BadRow
from studio.data.sources.file_kinds import NOTE_ENDINGS, is_image
from studio.data.sources.json_files import json_value
from studio.data.sources.reader import Reader, Record
from studio.data.sources.text_encoding import UTF8, encoding_of

CAPTION = "caption"
MAX_NOTE = 32 * 1024 * 1024
BOXES = "boxes"
FOLDER = "folder"
_BOXES = re.compile(r"(?:\s*\d+(?: -?\d*\.?\d+){4,}\s*?(?:\n|$))+\s*")  # as detectors write them


@dataclass
class Noted:
    """One row of a folder: its images, and the notes beside them by what they are called."""

    name: str
    images: list[Path] = field(default_factory=list)
    notes: dict[str, Path] = field(default_factory=dict)


@dataclass
class ImageFolderReader(Reader):
    """Images below a folder, each with the notes that have its name."""

    root: Path = Path()
    rows: tuple[Noted, ...] = ()

    def records(self) -> Iterator[Record | BadRow]:
        line = 0
        # Where nothing else does, the folders of the images may say what they are.
        sorts = not any(row.notes for row in self.rows)
        for noted in self.rows:
            for record in self._of(noted, sorts):
                line += 1
                yield record if isinstance(record, BadRow) else Record(line, record)

    def count(self) -> int:
        if any(note.suffix.lower() == ".json" for row in self.rows for note in row.notes.values()):
            return super().count()  # each may hold several rows
        return len(self.rows)

    def _of(self, noted: Noted, sorts: bool) -> Iterator[dict[str, object] | BadRow]:
        names: list[str] = [path.relative_to(self.root).as_posix() for path in noted.images]
        image: dict[str, object] = {"images": names} if len(names) > 1 else {"image": names[0]}
        values: dict[str, object] = {**image, "id": noted.name}
        if sorts and "/" in noted.name:
            values[FOLDER] = PurePosixPath(noted.name).parent.name
        several: list[object] = [{}]
        for called, path in noted.notes.items():
            try:
                note = _content(path)
            except DataError as error:
                yield BadRow(0, error.message.rstrip("."))
                return
            if isinstance(note, str) and path.suffix.lower() != ".json":
                values[BOXES if called == CAPTION and _BOXES.fullmatch(note) else called] = note
            elif isinstance(note, list):
                several = note
            else:
                several = [note]
        for number, one in enumerate(several):
            if not isinstance(one, dict):
                yield BadRow(0, f"a note beside {noted.name} is not an object with named fields")
                continue
            row = {**values, **{_beside(key, values): part for key, part in one.items()}}
            if len(several) > 1 and "id" not in one:
                row["id"] = f"{noted.name}#{number}"
            yield row


def _beside(key: str, values: dict[str, object]) -> str:
    """The name of a note's field; the image is the file, whatever a note says that it is."""
    return f"json.{key}" if key in values and key != "id" else key


def _content(path: Path) -> object:
    """What a note says. Raises DataError naming it."""
    if path.stat().st_size > MAX_NOTE:
        raise DataError(f"the note {path.name} is over {MAX_NOTE >> 20} MB")
    if path.suffix.lower() == ".json":
        return json_value(path)
    encoding = encoding_of(path)
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeError as error:
        shown = "UTF-8" if encoding == UTF8 else encoding.upper()
        raise DataError(f"the caption {path.name} is not {shown} text") from error
    return text.strip() if path.suffix.lower() == ".cls" else text


def goes_by_key(files: Sequence[Path]) -> bool:
    """Return whether images and notes share their names only up to the first dot."""
    images = [path for path in files if is_image(path.name)]
    whole = {path.with_suffix("") for path in images}
    notes = [path for path in files if path.suffix.lower() in NOTE_ENDINGS]
    loose = {path.parent / _stem(path, True) for path in notes if path.with_suffix("") not in whole}
    return any(path.parent / _stem(path, True) in loose for path in images)


def notes_among(files: Sequence[Path], by_key: bool) -> set[Path]:
    """Tell which JSON files are notes of images with their names, and no lists of rows."""
    stems = {_stem(path, by_key) for path in files if is_image(path.name)}
    found = [path for path in files if path.suffix.lower() == ".json"]
    named = [path for path in found if _stem(path, by_key) in stems]
    notes = {path for path in named if _start(path) == b"{"}
    # A list may have a picture beside it that shows it; many lists, each with one, are notes.
    if len(named) > 1 and len(named) == len(found):
        notes |= {path for path in named if _start(path) == b"["}
    return notes


def mostly_noted(files: Sequence[Path], by_key: bool) -> bool:
    """Return whether most images have a text beside them."""
    stems = {path.parent / _stem(path, by_key) for path in files if is_image(path.name)}
    texts = [path for path in files if path.suffix.lower() in (".txt", ".caption")]
    noted = stems.intersection(path.parent / _stem(path, by_key) for path in texts)
    return len(noted) * 2 > len(stems)


def _start(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]


def noted_images(root: Path, files: Sequence[Path], by_key: bool) -> tuple[Noted, ...]:
    """Put images and the notes with their names together, one row each.

    Args:
        by_key: Names up to their first dot belong together, as in shards of WebDataset.
    """
    rows: dict[str, Noted] = {}
    beside: dict[str, list[Noted]] = {}
    for path in files:
        if is_image(path.name):
            key = _key(path, root, by_key)
            noted = rows.setdefault(key if by_key else f"{key}{path.suffix}", Noted(key))
            noted.images.append(path)
            noted.name = key if len(noted.images) > 1 else path.relative_to(root).as_posix()
            beside.setdefault(key, []).append(noted)
    notes = [path for path in files if path.suffix.lower() in NOTE_ENDINGS]
    for path in notes:
        for noted in beside.get(_key(path, root, by_key), ()):
            noted.notes.setdefault(_called(path, by_key), path)
    _add_from_elsewhere(list(rows.values()), notes)
    return tuple(rows.values())


def _add_from_elsewhere(rows: Iterable[Noted], notes: Sequence[Path]) -> None:
    """Notes in a folder of their own belong to the only image with their name."""
    named: dict[str, list[Noted]] = {}
    for noted in rows:
        for image in noted.images:
            named.setdefault(image.stem, []).append(noted)
    taken = {path for noted in rows for path in noted.notes.values()}
    for path in notes:
        if path not in taken and len(alone := named.get(path.stem, [])) == 1:
            alone[0].notes.setdefault(_called(path, by_key=False), path)


def _key(path: Path, root: Path, by_key: bool) -> str:
    return path.relative_to(root).with_name(_stem(path, by_key)).as_posix()


def _stem(path: Path, by_key: bool) -> str:
    """What names belong together by."""
    return (path.name.split(".")[0] or path.name) if by_key else path.stem


def _called(path: Path, by_key: bool) -> str:
    """The column of a note: `0001.question.txt` has the question, `0001.txt` the caption."""
    ending = path.suffix.lower()
    middle = path.name.split(".")[1:-1] if by_key else []
    if middle:
        return ".".join(middle)
    return CAPTION if ending in (".txt", ".caption") else ending[1:]
