"""The results of one evaluation while it goes on: who has answered what, how much is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import StoppedError
from studio.models.answering.kept_answers import KeptAnswers
from studio.models.answering.settings import Contestant
from studio.models.answering.tasks import Task

Stopped = Callable[[], bool]
Progress = Callable[[int, int, float | None], None]
"""Told after every batch: entries done, entries in all, seconds left (None: not known yet)."""


@dataclass
class Sheet:
    """One contestant's results.

    Attributes:
        adapter: Digest of its adapter; empty for the base model.
        kept: Its answers on disk.
        keys: For each row what its result is kept by.
        entries: For each row its result, or None.
    """

    contestant: Contestant
    adapter: str
    kept: KeptAnswers
    keys: Sequence[str]
    entries: list[Any]


@dataclass
class Round:
    """One evaluation.

    Attributes:
        known: Entries that were there at its beginning.
    """

    task: Task[Any]
    sheets: Sequence[Sheet]
    stopped: Stopped
    progress: Progress
    known: int = 0
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.known = sum(entry is not None for sheet in self.sheets for entry in sheet.entries)
        self._done = self.known
        self.progress(self.known, self.total, None)

    @property
    def total(self) -> int:
        """Entries there will be."""
        return sum(len(sheet.entries) for sheet in self.sheets)

    def check(self) -> None:
        """Raise StoppedError when the user stops."""
        if self.stopped():
            raise StoppedError("The evaluation was stopped.")

    def wants(self, number: int) -> bool:
        """Return whether somebody has yet to answer row `number`."""
        return any(sheet.entries[number] is None for sheet in self.sheets)

    def refuse(self, number: int, reason: str, sheets: Sequence[Sheet] = ()) -> None:
        """Give row `number` a reason instead of a result: for these contestants, or for all."""
        for sheet in sheets or self.sheets:
            if sheet.entries[number] is None:
                self._enter(sheet, number, self.task.failed(reason))
        self._tell()

    def take(self, sheet: Sheet, results: Mapping[int, Any]) -> None:
        """Enter results by their rows' numbers, and keep them."""
        for number, result in results.items():
            self._enter(sheet, number, result)
        sheet.kept.put(
            {sheet.keys[number]: self.task.written(result) for number, result in results.items()}
        )
        self._tell()

    def _enter(self, sheet: Sheet, number: int, result: Any) -> None:
        self._done += sheet.entries[number] is None
        sheet.entries[number] = result

    def _tell(self) -> None:
        fresh, left = self._done - self.known, self.total - self._done
        each = (time.monotonic() - self._began) / fresh if fresh else None
        self.progress(self._done, self.total, None if each is None else each * left)
