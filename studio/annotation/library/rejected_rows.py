"""The rows an import leaves out: the first in memory, all of them in a file to download."""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path
from typing import Self

from studio.annotation.library.rejection_reasons import ReasonGroup, ReasonGroups
from studio.core.spreadsheet import neutral
from studio.data.schema import BadRow

IN_MEMORY = 1_000
SPOOLED_BYTES = 1024 * 1024
COLUMNS = ("line", "column", "reason")


class LeftOut:
    """Collects bad rows while an import runs; gone with the block unless `keep` is called.

    Attributes:
        count: How many there are.
        first: The first `IN_MEMORY` of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadRow] = []
        self._reasons = ReasonGroups()
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115
            SPOOLED_BYTES, "w+", encoding="utf-8", newline=""
        )
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: BadRow) -> None:
        """Add one more row; no cell becomes a formula."""
        self.count += 1
        self._reasons.add(row)
        if self.count <= IN_MEMORY:
            self.first.append(row)
        self._writer.writerow((row.line, neutral(row.field), neutral(row.reason)))

    @property
    def reasons(self) -> list[ReasonGroup]:
        """Their reasons, the commonest first."""
        return self._reasons.groups

    def keep(self, path: Path) -> Path | None:
        """Write all of them to `path`, for spreadsheets; None when there are none."""
        if not self.count:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file.seek(0)
        with path.open("w", encoding="utf-8-sig", newline="") as target:
            shutil.copyfileobj(self._file, target)
        return path
