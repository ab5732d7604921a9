"""CSV and TSV files with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import source_error
from studio.core.paths import read_json
from studio.core.spreadsheet import original
from studio.data.manifest import MANIFEST
from studio.data.schema import BadRow
from studio.data.sources.reader import Reader, Record

MAX_CELL = 4 * 1024 * 1024


@dataclass
class DelimitedReader(Reader):
    """Rows under a header; separated by tabs, commas or semicolons."""

    path: Path = Path()

    def records(self) -> Iterator[Record | BadRow]:
        csv.field_size_limit(MAX_CELL)  # of the whole process; the module has no other
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as handle:
                yield from self._rows(handle)
        except UnicodeDecodeError as error:
            raise source_error(
                f"{self.path.name} is not UTF-8 text.", "Save it as UTF-8."
            ) from error

    def _rows(self, handle) -> Iterator[Record | BadRow]:
        header_line = handle.readline()
        handle.seek(0)
        mark = max((",", ";", "\t"), key=header_line.count)
        mark = "\t" if self.path.suffix.lower() == ".tsv" else mark
        rows = csv.reader(handle, delimiter=mark)
        header, ours = next(rows, []), _of_an_export(self.path)
        if len(set(header)) < len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise source_error(
                f"{self.path.name} names the column {twice!r} twice.", "Rename one of the two."
            )
        while True:
            line = rows.line_num + 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield BadRow(line, f"not valid CSV: {error}")
                continue
            if cells is None:
                return
            if len(cells) == len(header):
                cells = [original(cell, ours) for cell in cells] if ours else cells
                yield Record(line, dict(zip(header, cells, strict=True)))
            elif cells:
                yield BadRow(line, f"{len(cells)} cells under {len(header)} column names")


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
