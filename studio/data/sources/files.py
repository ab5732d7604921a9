"""One data file by its ending; relative images are looked up beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.core.errors import source_error
from studio.core.paths import Workspace, typed_path
from studio.data.sources.arrow_files import ArrowReader
from studio.data.sources.delimited import DelimitedReader
from studio.data.sources.json_files import JsonLinesReader, JsonReader
from studio.data.sources.reader import Reader
from studio.data.split_slices import EVALUATION_NAMES, choose_split

READERS = {".jsonl": JsonLinesReader, ".json": JsonReader}
READERS |= dict.fromkeys((".ndjson",), JsonLinesReader)
READERS |= dict.fromkeys((".csv", ".tsv"), DelimitedReader)
ARROW = (".parquet", ".arrow")
KINDS = {".parquet": "Parquet", ".arrow": "Arrow"}
ENDINGS = (*READERS, *ARROW)


def matches(spec: str, workspace: Workspace) -> bool:
    return Path(spec).suffix.lower() in ENDINGS


def existing_file(spec: str) -> Path:
    """Find the file that `spec` names. Raises DataError when there is none."""
    path = typed_path(spec)
    if not path.is_file():
        raise source_error(
            f"There is no file {spec!r}.",
            "Give a path on the machine the studio runs on, or upload the file.",
        )
    return path


def open_reader(spec: str, split: str | None, workspace: Workspace, field: str) -> Reader:
    """Open a single file, which is the split `train` unless its name says otherwise."""
    path = existing_file(spec)
    with path.open("rb"):
        name = split_of(path)
    choose_split(split, ("train",) if name == split == "train" else (name, "train"), field)
    return reader_of([path], path.parent, (name,))


def split_of(path: Path) -> str:
    """Read the split from a file name: `test-00000-of-00001.parquet` is `test`; else `train`."""
    word = path.stem.lower().replace("_", "-").replace(".", "-").split("-")[0]
    return word if word in EVALUATION_NAMES else "train"


def reader_of(paths: Sequence[Path], folder: Path, splits: tuple[str, ...]) -> Reader:
    """Make a reader of the files of one split."""
    first = paths[0]
    kind = KINDS.get(first.suffix.lower(), first.suffix[1:].upper())
    label = f"{kind} file {first.name}" if len(paths) == 1 else f"{len(paths)} {kind} files"
    if first.suffix.lower() in ARROW:
        return ArrowReader(label=label, splits=splits, folder=folder, paths=tuple(paths))
    if len(paths) > 1:
        raise source_error(
            f"The folder {folder.name!r} holds several data files.",
            f"Name one of them: {', '.join(path.name for path in paths[:8])}.",
        )
    return READERS[first.suffix.lower()](label=label, splits=splits, folder=folder, path=first)
