"""CSV and TSV files with a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import source_error
from studio.core.paths import read_json
from studio.core.plurals import counted
from studio.core.spreadsheet import original
from studio.data.manifest import MANIFEST
from studio.data.schema import BadRow
from studio.data.sources.json_files import shown_encoding
from studio.data.sources.reader import Reader, Record
from studio.data.sources.text_encoding import encoding_of

MAX_CELL = 4 * 1024 * 1024
_TOLD = re.compile(r"sep=(.)", re.IGNORECASE)


@dataclass
class DelimitedReader(Reader):
    """Rows under a header; separated by tabs, commas or semicolons."""

    path: Path = Path()

    def records(self) -> Iterator[Record | BadRow]:
        csv.field_size_limit(MAX_CELL)  # of the whole process; the module has no other
        encoding = encoding_of(self.path)
        try:
            with self.path.open(encoding=encoding, newline="") as handle:
                yield from self._rows(handle)
        except UnicodeError as error:
            raise source_error(
                f"{self.path.name} is not {shown_encoding(encoding)} text{_at(error)}.",
                'Save it as UTF-8 (a spreadsheet: "CSV UTF-8").',
            ) from error

    def _rows(self, handle) -> Iterator[Record | BadRow]:
        mark, above = _mark(handle, self.path)
        rows = csv.reader(handle, delimiter=mark)
        header, ours = _names(next(rows, []), self.path.name), _of_an_export(self.path)
        while True:
            line = above + rows.line_num + 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield BadRow(line, f"not valid CSV: {error}")
                continue
            if cells is None:
                return
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()  # a mark at the end of every line says nothing
            if len(cells) == len(header):
                cells = [original(cell, ours) for cell in cells] if ours else cells
                yield Record(line, dict(zip(header, cells, strict=True)), only_texts=True)
            elif cells:
                yield BadRow(
                    line,
                    f"{counted(len(cells), 'cell')} under {counted(len(header), 'column name')}",
                )


def _mark(handle, path: Path) -> tuple[str, int]:
    """What separates the cells, and how many lines are above the names of the columns."""
    first = handle.readline()
    if told := _TOLD.fullmatch(first.strip()):  # a line of Excel's
        return told[1], 1
    handle.seek(0)
    if path.suffix.lower() == ".tsv":
        return "\t", 0
    return max((",", ";", "\t"), key=first.count), 0


def _names(header: list[str], file: str) -> list[str]:
    """The names of the columns, without blanks around them."""
    names = [name.replace("\ufeff", "").strip() for name in header]
    while names and not names[-1]:
        names.pop()
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise source_error(f"{file} names the column {twice!r} twice.", "Rename one of the two.")
    return names


def _at(error: UnicodeError) -> str:
    """Which byte is at fault; Western programs of Windows write accents as one."""
    if not isinstance(error, UnicodeDecodeError):
        return ""
    return f" (byte 0x{error.object[error.start]:02X}, as Windows-1252 and Latin-1 have it)"


def _of_an_export(path: Path) -> int:
    """By which version of `spreadsheet.neutral` the studio wrote it; 0 when others did."""
    try:
        manifest = read_json(path.with_name(MANIFEST))
    except (OSError, ValueError):
        return 0
    known = manifest if isinstance(manifest, dict) else {}
    if known.get("format") != "csv" or "content_hash" not in known:
        return 0
    version = known.get("csv_cells", 1)
    return version if isinstance(version, int) and version > 0 else 1
