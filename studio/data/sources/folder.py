"""A folder: data files in it, or images with notes beside them, or images alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from studio.core.errors import source_error
from studio.core.paths import Workspace, typed_path
from studio.core.plurals import counted
from studio.data.sources import coco_files
from studio.data.sources.arrow_files import ArrowReader
from studio.data.sources.file_census import (
    MAX_ENTRIES,
    OTHER_SPLIT,
    Census,
    is_hidden,
    together,
    walked,
)
from studio.data.sources.file_kinds import (
    DESCRIPTIONS,
    IMAGE_ENDINGS,
    NOTE_ENDINGS,
    UNSAID,
    is_image,
    why_refused,
)
from studio.data.sources.files import (
    ARROW,
    ENDINGS,
    FilesReader,
    is_data,
    kind_of,
    open_file,
    single_split,
    split_of,
)
from studio.data.sources.image_sidecars import (
    ImageFolderReader,
    goes_by_key,
    mostly_noted,
    noted_images,
    notes_among,
)
from studio.data.sources.json_files import JsonReader, json_value
from studio.data.sources.json_shapes import SPLIT_NAMES
from studio.data.sources.reader import Reader
from studio.data.split_slices import choose_split

METADATA = "metadata"
_DEEPER = "lies further down than the data files that are read"
_NOTES = "images and their notes are read instead"
_COMPARED = 500  # files whose columns are looked at; more are as some of these
_NAMED = 8  # files in a reason


def matches(spec: str, workspace: Workspace) -> bool:
    return typed_path(spec).is_dir()


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Open the data files of a folder by split, else its images. Raises DataError."""
    return read_folder(typed_path(spec).resolve(), split, workspace, field)


def read_folder(
    root: Path, split: str | None, workspace: Workspace, field: str, by_key: bool = False
) -> Reader:
    """Open a folder.

    Args:
        by_key: It may be a shard of WebDataset, where names up to the first dot belong together.

    Raises:
        DataError: It holds no data and no images, or what it holds does not go together.
    """
    if (root / "dataset_dict.json").is_file():
        return _saved_dict(root, split, field)
    by_key = by_key and goes_by_key(_listed(root))
    data = _data_files(root, by_key)
    if data:
        return _of_data(root, data, split, workspace, field)
    files = _listed(root)
    if shards := _shards(files):
        return _of_shards(root, shards, split, workspace, field)
    return _of_images(root, files, split, field, by_key)


def _saved_dict(folder: Path, split: str | None, field: str) -> Reader:
    """A folder written by `DatasetDict.save_to_disk`."""
    parts = {path.parent.name: path.parent for path in sorted(folder.glob("*/state.json"))}
    if not parts:
        raise source_error(
            f"The saved dataset {folder.name!r} is empty.", "Save it again with `save_to_disk`."
        )
    name = choose_split(split, tuple(parts), field)
    paths = tuple(sorted(parts[name].glob("*.arrow")))
    reader = _arrow(paths, parts[name], tuple(parts))
    elsewhere = frozenset(part for split, part in parts.items() if split != name)
    reader.census = Census(folder, set(paths), {}, elsewhere, is_data=is_data)
    return reader


def _arrow(paths: tuple[Path, ...], folder: Path, splits: tuple[str, ...]) -> ArrowReader:
    kind = "Parquet" if paths and paths[0].suffix.lower() == ".parquet" else "Arrow"
    label = f"{kind} file {paths[0].name}" if len(paths) == 1 else f"{len(paths)} {kind} files"
    return ArrowReader(label=label, splits=splits, folder=folder, paths=paths)


def _data_files(root: Path, by_key: bool) -> list[Path]:
    """The data files of a folder: in it, in `data` below it, or else wherever they are."""
    for where in (root, root / "data"):
        there = [path for path in sorted(where.glob("[!.]*")) if path.is_file()]
        if files := _rows_among(there, by_key):
            saved = (where / "state.json").exists()
            return [path for path in files if path.suffix.lower() in ARROW] if saved else files
    deeper = [path for path in _listed(root) if _is_inside(path, root)]
    found = _rows_among(deeper, by_key)
    # A table far from captioned images is something else; one called so is their list.
    named = any(path.name.split(".")[0] == METADATA for path in found)
    return [] if found and not named and mostly_noted(deeper, by_key) else found


def _rows_among(files: Sequence[Path], by_key: bool) -> list[Path]:
    notes = notes_among(files, by_key)
    return [
        path
        for path in files
        if is_data(path.name) and path.name not in DESCRIPTIONS and path not in notes
    ]


def _is_inside(path: Path, root: Path) -> bool:
    return not path.is_symlink() or path.resolve().is_relative_to(root)


def _listed(root: Path) -> list[Path]:
    entries = list(islice(walked(root, MAX_ENTRIES + 1, strict=True), MAX_ENTRIES + 1))
    if len(entries) > MAX_ENTRIES:
        raise source_error(
            f"The folder {root.name!r} holds more than {MAX_ENTRIES:,} files.",
            "Name a folder further down, or a file that lists the images.",
        )
    return [path for path in entries if not is_hidden(path.relative_to(root).as_posix())]


def _of_data(
    root: Path, data: list[Path], split: str | None, workspace: Workspace, field: str
) -> Reader:
    reader, chosen = _of_files(root, data, split, workspace, field)
    used = set(reader.paths if isinstance(reader, FilesReader) else chosen)
    others = dict.fromkeys(set(data).difference(chosen), OTHER_SPLIT)
    spare = dict.fromkeys(set(chosen) - used, "other data files are read instead")
    own = {folder for path in used for folder in (path.parent, *path.parent.parents)}
    elsewhere = frozenset(path.parent for path in others if path.parent not in own)
    reader.more_folders = (*reader.more_folders, root)
    reader.census = Census(root, used, {**others, **spare}, elsewhere, _DEEPER, is_data)
    return reader


def _of_files(
    root: Path, data: list[Path], split: str | None, workspace: Workspace, field: str
) -> tuple[Reader, list[Path]]:
    """A reader of one split, and the data files that are that split's."""
    by_split = _by_split(root, data)
    if len(data) == 1:
        reader = open_file(data[0], None, workspace, field)
        if len(reader.splits) > 1:
            return open_file(data[0], split, workspace, field), data
    name = choose_split(split, tuple(by_split), field)
    if len(data) > 1:
        reader = _of_split(root, by_split[name], name, workspace, field)
    reader.splits = tuple(by_split)
    return reader, by_split[name]


def _by_split(root: Path, data: Sequence[Path]) -> dict[str, list[Path]]:
    """Data files by their split: a folder on their way is called so, or they are."""
    found: dict[str, list[Path]] = {}
    for path in data:
        found.setdefault(_split_of(root, path), []).append(path)
    return found


def _split_of(root: Path, path: Path) -> str:
    for part in path.relative_to(root).parts[:-1]:
        if part.lower() in SPLIT_NAMES:
            return "train" if part.lower() == "training" else part.lower()
    return coco_files.subset_of(path) or split_of(path)


def _of_split(root: Path, paths: list[Path], name: str, workspace: Workspace, field: str) -> Reader:
    """Read the data files of one split, which have the same columns. Raises DataError."""
    if len(paths) == 1:
        return single_split(paths[0], workspace)
    folders = {path.parent for path in paths}
    if len(folders) == 1 and all(path.suffix.lower() in ARROW for path in paths):
        return _arrow(tuple(paths), paths[0].parent, (name,))
    if joined := _joined(paths):
        return joined
    kinds = {kind_of(path) for path in paths}
    metadata = [path for path in paths if path.name.split(".")[0] == METADATA]
    if len(kinds) > 1 and metadata and len({kind_of(path) for path in metadata}) == 1:
        paths, kinds = metadata, {kind_of(metadata[0])}
    shown = kinds.pop()[1:].upper()
    label = f"{len(paths)} {shown} files" if len(paths) > 1 else f"{shown} file {paths[0].name}"
    reader = FilesReader(
        label=label, folder=root, paths=tuple(paths), workspace=workspace, split=name
    )
    if kinds:
        raise _several(root, {path: frozenset() for path in paths})
    compared = paths[:: max(1, len(paths) // _COMPARED)]
    columns = {path: reader.columns_of(path) for path in compared}
    if not _alike(columns):
        if not metadata or len(metadata) == len(paths):
            raise _several(root, columns)
        reader.paths = tuple(metadata)
    return reader


def _alike(columns: Mapping[Path, frozenset[str]]) -> bool:
    """Returns: whether all files have the columns of the one with most of them, or some of these."""
    most = max(columns.values(), key=len)
    return all(names <= most and len(names) * 2 >= len(most) for names in columns.values() if names)


def _several(root: Path, columns: Mapping[Path, frozenset[str]]):
    named = [path.relative_to(root).as_posix() for path in columns]
    if any(columns.values()):
        told = [
            f"{name} ({', '.join(sorted(columns[path])[:_NAMED])})"
            for name, path in zip(named, columns, strict=True)
        ]
        what = f"several data files with different columns: {'; '.join(told[:_NAMED])}"
    else:
        what = "several data files of different kinds"
    return source_error(
        f"The folder {root.name!r} holds {what}.", f"Name one of them: {', '.join(named[:_NAMED])}."
    )


def _joined(paths: Sequence[Path]) -> Reader | None:
    """Questions and annotations that make up one set of rows; None when that is not all there is."""
    if not all(path.suffix.lower() == ".json" for path in paths) or len(paths) > 2:
        return None
    value = json_value(paths[0])
    if coco_files.holds(value) not in (coco_files.QUESTIONS, coco_files.ANSWERS):
        return None
    rows, label, read = coco_files.rows_of(paths[0], value)
    if set(read) != set(paths):
        return None
    return JsonReader(label=label, folder=paths[0].parent, rows=rows)


def _shards(files: Sequence[Path]) -> list[Path]:
    """The archives that hold what a folder is about: tar files, or ZIP files without images beside."""
    from studio.data.sources.archive import ENDING, is_tar

    if shards := [path for path in files if is_tar(path.name)]:
        return shards
    packed = [path for path in files if path.suffix.lower() == ENDING]
    return [] if any(is_image(path.name) for path in files) else packed


def _of_shards(
    root: Path, shards: list[Path], split: str | None, workspace: Workspace, field: str
) -> Reader:
    """Archives that are parts of one dataset."""
    from studio.data.sources.archive import read_shards

    by_split = _by_split(root, shards)
    name = choose_split(split, tuple(by_split), field)
    reader = read_shards(by_split[name], None, workspace, field)
    if len(by_split) > 1:
        reader.splits = tuple(by_split)
    reader.label = f"{counted(len(by_split[name]), 'archive')}: {reader.label}"
    own = set(by_split[name])
    others = {path: OTHER_SPLIT for path in shards if path not in own}
    reader.left_out = together(reader.left_out, Census(root, own, others).groups(()))
    return reader


def _why_refused(path: Path) -> str:
    return "" if path.suffix.lower() in UNSAID else why_refused(path.name)


def _of_images(
    root: Path, files: Sequence[Path], split: str | None, field: str, by_key: bool
) -> Reader:
    inside = [
        path
        for path in files
        if is_image(path.name) or path.suffix.lower() in NOTE_ENDINGS
        if path.resolve().is_relative_to(root)
    ]
    images = [path for path in inside if is_image(path.name)]
    if not images:
        refused = sorted({why for path in files if (why := _why_refused(path))})
        said = f" {'. '.join(refused[:3])}." if refused else ""
        raise source_error(
            f"The folder {root.name!r} holds neither data files nor images.{said}",
            f"Data files end in {', '.join(ENDINGS)}; images in {', '.join(IMAGE_ENDINGS)}.",
        )
    by_split = _by_split(root, images)
    # Folders are splits only where every image is in one.
    if not all(path.relative_to(root).parts[0].lower() in SPLIT_NAMES for path in images):
        by_split = {"train": images}
    name = choose_split(split, tuple(by_split), field)
    own = inside if len(by_split) == 1 else [p for p in inside if _split_of(root, p) == name]
    others = dict.fromkeys(set(inside).difference(own), OTHER_SPLIT)
    rows = noted_images(root, own, by_key)
    notes = {note for row in rows for note in row.notes.values()}
    return ImageFolderReader(
        label=f"folder of {counted(sum(len(row.images) for row in rows), 'image')}",
        splits=tuple(by_split),
        folder=root,
        root=root,
        rows=rows,
        census=Census(root, {*by_split[name], *notes}, others, frozenset(), _NOTES, is_data),
    )
