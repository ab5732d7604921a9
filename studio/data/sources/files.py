"""One data file by its ending; relative images are looked up beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.core.errors import DataError, source_error
from studio.core.paths import Workspace, typed_path
from studio.data.schema import BadRow
from studio.data.sources import coco_files, compression
from studio.data.sources.arrow_files import ArrowReader
from studio.data.sources.delimited import DelimitedReader
from studio.data.sources.file_kinds import REFUSED, is_image
from studio.data.sources.json_files import JsonLinesReader, JsonReader, holds_lines, json_value
from studio.data.sources.json_shapes import UNNAMED, rows_by_split
from studio.data.sources.reader import Reader, Record
from studio.data.sources.text_encoding import encoding_of
from studio.data.split_slices import EVALUATION_NAMES, choose_split

JSON = (".jsonl", ".ndjson", ".json")
DELIMITED = (".csv", ".tsv")
ARROW = (".parquet", ".arrow", ".feather")
KINDS = {".parquet": "Parquet", ".arrow": "Arrow", ".feather": "Arrow"}
ENDINGS = (*JSON, *DELIMITED, *ARROW)
_LOOKED_AT = 5  # lines


def matches(spec: str, workspace: Workspace) -> bool:
    return is_data(spec) or typed_path(spec).is_file()


def is_data(name: str) -> bool:
    """Return whether a file of this name holds rows, packed or not."""
    return kind_of(Path(name)) in ENDINGS


def kind_of(path: Path) -> str:
    """Return the ending that tells how a file is read, in small letters; packed files' inner one."""
    ending = path.suffix.lower()
    return Path(path.stem).suffix.lower() if ending in compression.ENDINGS else ending


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
    """Open a single file, which is the split `train` unless its name or its content says otherwise.

    Raises:
        DataError: It is not there, holds no rows, or is of a kind that is not read.
    """
    path = existing_file(spec)
    with path.open("rb"):
        pass
    return open_file(path, split, workspace, field, lent=("train",))


def open_file(
    path: Path, split: str | None, workspace: Workspace, field: str, lent: Sequence[str] = ()
) -> Reader:
    """Open one file.

    Args:
        lent: Splits that it may stand for besides its own.
    """
    if not is_data(path.name):
        raise _not_read(path)
    inside = path
    if path.suffix.lower() in compression.ENDINGS:
        inside = compression.unpacked_file(path, workspace)
    ending, kind = (
        inside.suffix.lower(),
        KINDS.get(inside.suffix.lower(), inside.suffix[1:].upper()),
    )
    label = f"{kind} file {path.name}"
    if ending in JSON and not holds_lines(inside):
        return _of_json(path, inside, split, field, lent, label)
    name = split_of(path)
    choose_split(split, (name,) if name == split else (name, *lent), field)
    splits = (name,)
    if ending in JSON:
        return JsonLinesReader(label=label, splits=splits, folder=path.parent, path=inside)
    if ending in ARROW:
        return ArrowReader(label=label, splits=splits, folder=path.parent, paths=(inside,))
    return DelimitedReader(label=label, splits=splits, folder=path.parent, path=inside)


def split_of(path: Path) -> str:
    """Read the split from a file name: `test-00000-of-00001.parquet` is `test`; else `train`."""
    word = path.stem.lower().replace("_", "-").replace(".", "-").split("-")[0]
    return word if word in EVALUATION_NAMES else "train"


@dataclass
class FilesReader(Reader):
    """Several files with the same columns, one after the other.

    Attributes:
        folder: That of the file which the last record came from.
        split: The one that is read.
    """

    paths: tuple[Path, ...] = ()
    split: str = "train"
    workspace: Workspace | None = None

    def records(self) -> Iterator[Record | BadRow]:
        before = 0
        for path in self.paths:
            part, line = self._part(path), 0
            self.folder = part.folder
            for record in part.records():
                line = record.line
                yield _further(record, before, path.name)
            before += line

    def count(self) -> int:
        return sum(self._part(path).count() for path in self.paths)

    def columns_of(self, path: Path) -> frozenset[str]:
        """Read the column names of one of the files from its first rows."""
        return frozenset(self._part(path).columns)

    def _part(self, path: Path) -> Reader:
        if self.workspace is None:
            raise ValueError("files are unpacked in a workspace")
        return single_split(path, self.workspace)


def single_split(path: Path, workspace: Workspace) -> Reader:
    """Open one of several files. Raises DataError when it holds several splits of its own."""
    reader = open_file(path, None, workspace, "")
    if len(reader.splits) > 1:
        raise source_error(
            f"{path.name} lies beside other data files and holds several splits itself: "
            f"{', '.join(reader.splits)}.",
            "Name it alone, or put it into a folder of its own.",
        )
    return reader


def _further(record: Record | BadRow, before: int, file: str) -> Record | BadRow:
    """A record of a later file: numbered on, its place in the file in the reason."""
    if isinstance(record, BadRow):
        reason = f"{record.reason} (line {record.line} of {file})"
        return replace(record, line=before + record.line, reason=reason)
    return replace(record, line=before + record.line) if before else record


def _of_json(
    path: Path, inside: Path, split: str | None, field: str, lent: Sequence[str], label: str
) -> Reader:
    """A JSON file read as a whole; it may name its splits."""
    value = json_value(inside)
    name = split_of(path)
    if coco_files.holds(value):
        rows, label, _ = coco_files.rows_of(inside, value)
        by_split = {coco_files.subset_of(path) or name: rows}
    else:
        by_split = rows_by_split(value, path.name)
    if UNNAMED in by_split:
        by_split = {name: by_split[UNNAMED]}
    splits = tuple(by_split)
    single = len(splits) == 1 and splits[0] != split
    chosen = choose_split(split, (*splits, *lent) if single else splits, field)
    rows = by_split.get(chosen, by_split[splits[0]])
    return JsonReader(label=label, splits=splits, folder=path.parent, rows=rows)


def _not_read(path: Path) -> DataError:
    """Say what a file is that is not read, and what to do instead."""
    ending = path.suffix.lower()
    if ending in REFUSED:
        kind, remedy = REFUSED[ending]
        return source_error(
            f"{path.name} is {kind.rstrip(',')}, which is not read.",
            f"{remedy[0].upper()}{remedy[1:]}.",
        )
    if is_image(path.name):
        return source_error(
            f"{path.name} is an image, not a file of rows.", "Import the folder that it is in."
        )
    if ending in compression.ENDINGS:
        return source_error(
            f"{path.name} does not say what is packed in it.",
            f"Name it after that, for instance rows.jsonl{ending}.",
        )
    looks = _looks_like(path)
    said = f"; it looks like {KIND_NAMES[looks]}" if looks else ""
    remedy = f"Name it {path.stem}{looks}." if looks else f"Read are {', '.join(ENDINGS)}."
    named = f"files that end in {ending} are not read" if ending else "its name has no ending"
    return source_error(f"{path.name} is not read: {named}{said}.", remedy)


KIND_NAMES = {".jsonl": "JSON Lines", ".json": "JSON", ".csv": "CSV", ".tsv": "TSV"}


def _looks_like(path: Path) -> str:
    """The ending that the first lines of a text file ask for; empty when none does."""
    with path.open(encoding=encoding_of(path), errors="replace") as handle:
        lines = [handle.readline(100_000).strip() for _ in range(_LOOKED_AT)]
    lines = [line for line in lines if line]
    if not lines:
        return ""
    if lines[0].startswith("["):
        return ".json"
    if lines[0].startswith("{"):
        return ".jsonl" if lines[0].rstrip(",").endswith("}") else ".json"
    for mark, ending in (("\t", ".tsv"), (",", ".csv"), (";", ".csv")):
        if len(lines) > 1 and all(line.count(mark) == lines[0].count(mark) > 0 for line in lines):
            return ending
    return ""
