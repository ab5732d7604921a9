"""A folder: data files in it, or images with captions beside them, or images alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from studio.core.errors import source_error
from studio.core.paths import Workspace, typed_path
from studio.core.plurals import counted
from studio.data.schema import BadRow
from studio.data.sources.files import ARROW, ENDINGS, reader_of, split_of
from studio.data.sources.reader import Reader, Record
from studio.data.split_slices import choose_split

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
NOT_DATA = ("dataset_info.json", "state.json", "dataset_dict.json", "manifest.json")
MAX_CAPTION = 1_000_000
MAX_ENTRIES = 500_000


@dataclass
class ImageFolderReader(Reader):
    """Every image below the folder; the `.txt` file of the same name is its caption."""

    paths: tuple[Path, ...] = ()

    def records(self) -> Iterator[Record | BadRow]:
        for line, path in enumerate(self.paths, 1):
            name = path.relative_to(self.folder or "").as_posix()
            values: dict[str, object] = {"image": name, "id": name}
            caption = path.with_suffix(".txt")
            if caption.is_file():
                try:
                    values["caption"] = caption.read_text(encoding="utf-8-sig")[:MAX_CAPTION]
                except UnicodeDecodeError:
                    yield BadRow(line, f"the caption {caption.name} is not UTF-8 text")
                    continue
            yield Record(line, values)

    def count(self) -> int:
        return len(self.paths)


def matches(spec: str, workspace: Workspace) -> bool:
    return typed_path(spec).is_dir()


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Open the data files of a folder by split, else its images. Raises DataError."""
    folder = typed_path(spec).resolve()
    if (folder / "dataset_dict.json").is_file():
        return _saved_dict(folder, split, field)
    files = _data_files(folder)
    if files:
        by_split: dict[str, list[Path]] = {}
        for path in files:
            by_split.setdefault(split_of(path), []).append(path)
        name = choose_split(split, tuple(by_split), field)
        return reader_of(by_split[name], by_split[name][0].parent, tuple(by_split))
    images = _images(folder)
    if not images:
        raise source_error(
            f"The folder {folder.name!r} holds neither data files nor images.",
            f"Data files end in {', '.join(ENDINGS)}; images in {', '.join(IMAGE_ENDINGS)}.",
        )
    choose_split(split, ("train",), field)
    return ImageFolderReader(
        label=f"folder of {counted(len(images), 'image')}", folder=folder, paths=images
    )


def _saved_dict(folder: Path, split: str | None, field: str) -> Reader:
    """A folder written by `DatasetDict.save_to_disk`."""
    parts = {path.parent.name: path.parent for path in sorted(folder.glob("*/state.json"))}
    if not parts:
        raise source_error(
            f"The saved dataset {folder.name!r} is empty.", "Save it again with `save_to_disk`."
        )
    name = choose_split(split, tuple(parts), field)
    return reader_of(sorted(parts[name].glob("*.arrow")), parts[name], tuple(parts))


def _data_files(folder: Path) -> list[Path]:
    for where in (folder, folder / "data"):
        files = [
            path
            for path in sorted(where.glob("*"))
            if path.suffix.lower() in ENDINGS and path.name not in NOT_DATA and path.is_file()
        ]
        arrow = [path for path in files if path.suffix.lower() in ARROW]
        if files:
            return arrow if (where / "state.json").exists() else files
    return []


def _images(folder: Path) -> tuple[Path, ...]:
    entries = list(islice(folder.rglob("*"), MAX_ENTRIES + 1))
    if len(entries) > MAX_ENTRIES:
        raise source_error(
            f"The folder {folder.name!r} holds more than {MAX_ENTRIES:,} files.",
            "Name a folder further down, or a file that lists the images.",
        )
    return tuple(
        path
        for path in sorted(entries)
        if path.suffix.lower() in IMAGE_ENDINGS
        and path.is_file()
        and path.resolve().is_relative_to(folder)
    )
