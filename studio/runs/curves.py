"""What a run's diary adds up to: one series per metric, where it stands, how long it still takes."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, ClassVar

from studio.core.spreadsheet import neutral
from studio.runs.curve_thinning import Points, Thinned
from studio.runs.diagnostics.health_watch import HealthFinding
from studio.runs.event_log import Event, read_events

MOST_POINTS = 300
logger = logging.getLogger(__name__)
_NO_METRIC = {"step", "epoch", "total", "seconds_per_step"}
_NUMBERS = (int, float)
_RECENT = 20


@dataclass(frozen=True)
class Notice:
    """Something the worker wants to be read: a warning, or a setting it changed by itself."""

    type: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class ProbeRow:
    """A fixed question about fixed images, and what the base answers to it.

    Attributes:
        written: Tokens of that answer; None in what older runs wrote.
    """

    question: str
    images: list[str]
    base: str
    written: int | None = None


@dataclass
class Diary:
    """Everything read from one `events.jsonl` so far; `refresh` reads what was added.

    Attributes:
        series: Metric name to (optimizer step, value), by rising step. Steps repeated after a
            resume replace the earlier ones.
        not_finite: Metrics that were NaN or infinite, with the step at which they first were.
        step, total: Optimizer steps done and planned.
        checkpoint: Step of the last complete checkpoint, 0 without one.
        findings: What the run's health gave rise to, each id once.
        probe_rows, probes: Fixed questions, and the answers to them by step.
        written: Tokens of those answers, by step; those of older runs are not known.
        forgetting: Loss on rows that have nothing to do with the run, `before` and `after`;
            the latter was measured at `forgetting_step`.
    """

    path: Path
    series: dict[str, Points] = field(default_factory=dict)
    not_finite: dict[str, int] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    findings: dict[str, HealthFinding] = field(default_factory=dict)
    probe_rows: list[ProbeRow] = field(default_factory=list)
    probes: dict[int, list[str]] = field(default_factory=dict)
    written: dict[int, list[int]] = field(default_factory=dict)
    forgetting: dict[str, float] = field(default_factory=dict)
    forgetting_step: int = 0
    stage: str = ""
    step: int = 0
    total: int = 0
    seconds_per_step: float = 0.0
    checkpoint: int = 0
    _offset: int = 0
    _recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _thinned: dict[tuple[str, int], Thinned] = field(default_factory=dict)
    _unread: set[str] = field(default_factory=set)  # kinds of events, each logged once

    def refresh(self) -> Diary:
        """Read the lines added since last time."""
        batch = read_events(self.path, self._offset)
        for (kind, _), events in groupby(batch.events, _alike):
            together = list(events)
            if kind != "metrics" or not self._add_columns([event.values for event in together]):
                for event in together:
                    self._take(event)
        self._offset = batch.offset
        return self

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._offset

    @property
    def seconds_left(self) -> float | None:
        """Time to the last step at the present pace; None while there is nothing to go by."""
        if not self.seconds_per_step or not self.total:
            return None
        return max(self.total - self.step, 0) * self.seconds_per_step

    def curve(self, name: str, most: int = MOST_POINTS) -> Points:
        """Return the points of a metric, thinned to at most `most` with peaks and dips kept."""
        points = self.series.get(name, [])
        if len(points) <= most:
            return points
        thinned = self._thinned.setdefault((name, most), Thinned(most))
        return thinned.update(points)

    def last(self, name: str) -> float | None:
        """Return the latest value of a metric."""
        points = self.series.get(name)
        return points[-1][1] if points else None

    def _take(self, event: Event) -> None:
        take = self._TAKES.get(event.type)
        if take is None:
            return
        try:
            take(self, event)
        except (TypeError, ValueError, AttributeError, OverflowError):
            if event.type not in self._unread:
                logger.exception("%s: a %s no worker writes is left out.", self.path, event.type)
            self._unread.add(event.type)

    def _take_metrics(self, event: Event) -> None:
        self._add_metrics(event.values)

    def _take_stage(self, event: Event) -> None:
        self.stage = str(event.values.get("stage", ""))
        self._recent.clear()

    def _take_checkpoint(self, event: Event) -> None:
        self.checkpoint = _step(event.values)

    def _take_resumed(self, event: Event) -> None:
        step = _step(event.values)
        for points in self.series.values():
            while points and points[-1][0] > step:
                points.pop()
        self.probes = {at: said for at, said in self.probes.items() if at <= step}
        self.not_finite = {name: at for name, at in self.not_finite.items() if at <= step}

    def _take_notice(self, event: Event) -> None:
        said = (str(event.values.get(name, "")) for name in ("message", "remedy"))
        notice = Notice(event.type, *said)
        if notice in self.notices and event.type == "warning":
            return
        if notice in self.notices:  # changed back and again: the latest word counts
            self.notices.remove(notice)
        self.notices.append(notice)

    def _take_finding(self, event: Event) -> None:
        finding = HealthFinding.of_event(event)
        self.findings.setdefault(finding.id, finding)

    def _take_probe_rows(self, event: Event) -> None:
        rows = event.values.get("rows") or []
        self.probe_rows = [
            ProbeRow(
                str(row.get("question", "")),
                list(row.get("images", [])),
                str(row["base"]),
                int(row["written"]) if "written" in row else None,
            )
            for row in rows
            if "base" in row
        ]

    def _take_probe(self, event: Event) -> None:
        step = _step(event.values)
        self.probes[step] = [str(text) for text in event.values.get("answers", [])]
        self.written[step] = [int(count) for count in event.values.get("written", [])]
        self._add_metrics(event.values)

    def _take_forgetting(self, event: Event) -> None:
        for when in ("before", "after"):
            if isinstance(event.values.get(when), (int, float)):
                self.forgetting[when] = float(event.values[when])
        self.forgetting_step = _step(event.values) or self.step

    _TAKES: ClassVar[dict[str, Callable[[Diary, Event], None]]] = {
        "metrics": _take_metrics,
        "evaluation": _take_metrics,
        "progress": lambda self, event: self._progress(event.values, event.time),
        "stage": _take_stage,
        "checkpoint": _take_checkpoint,
        "resumed": _take_resumed,
        "warning": _take_notice,
        "changed": _take_notice,
        "reference_check": _take_notice,
        "finding": _take_finding,
        "probe_rows": _take_probe_rows,
        "probe": _take_probe,
        "forgetting": _take_forgetting,
    }

    def _progress(self, values: dict[str, Any], when: float) -> None:
        self.step = _step(values)
        self.total = int(values.get("total") or self.total)
        self._recent.append((self.step, when))
        given = values.get("seconds_per_step")
        if isinstance(given, (int, float)) and math.isfinite(given) and given > 0:
            self.seconds_per_step = float(given)
            return
        (first, began), (last, ended) = self._recent[0], self._recent[-1]
        if last > first:
            self.seconds_per_step = (ended - began) / (last - first)

    def _add_columns(self, rows: list[dict[str, Any]]) -> bool:
        """Add metrics of many steps at once; False, with nothing added, where one is unusual."""
        steps: list[Any] = [row.get("step") for row in rows]
        if set(map(type, steps)) != {int} or any(a >= b for a, b in pairwise(steps)):
            return False
        columns = {name: [row[name] for row in rows] for name in rows[0] if name not in _NO_METRIC}
        usual = all(
            set(map(type, values)) <= set(_NUMBERS)
            and _finite(sum(values))
            and self._last_step(name) < steps[0]
            for name, values in columns.items()
        )
        if usual:
            for name, values in columns.items():
                self.series.setdefault(name, []).extend(zip(steps, values, strict=True))
        return usual

    def _last_step(self, name: str) -> int:
        points = self.series.get(name)
        return points[-1][0] if points else -1

    def _add_metrics(self, values: dict[str, Any]) -> None:
        step = _step(values)
        for name, value in values.items():
            if type(value) not in _NUMBERS or name in _NO_METRIC:
                continue
            if not _finite(value):
                self.not_finite.setdefault(name, step)
                continue
            points = self.series.get(name)
            if points is None:
                points = self.series[name] = []
            while points and points[-1][0] >= step:
                points.pop()
            points.append((step, value))


def smooth(points: Points, weight: float = 0.9) -> Points:
    """Return the exponential moving average without start-up bias (Kingma & Ba 2015, section 3)."""
    smoothed, average, seen = [], 0.0, 0.0
    for step, value in points:
        average = weight * average + (1 - weight) * value
        seen = weight * seen + (1 - weight)
        smoothed.append((step, average / seen))
    return smoothed


def table(diary: Diary) -> str:
    """Return all metrics as CSV: one line per step, one column per metric, every recorded point."""
    names = sorted(diary.series)
    return _csv(["step", *names], _lines(diary, names))


def compared(diaries: Mapping[str, Diary]) -> str:
    """Return several runs as one CSV: their lines below each other, the run id in the first column."""
    names = sorted({name for diary in diaries.values() for name in diary.series})
    lines = ([run, *line] for run, diary in diaries.items() for line in _lines(diary, names))
    return _csv(["run", "step", *names], lines)


def _lines(diary: Diary, names: list[str]) -> Iterator[list[Any]]:
    steps: dict[int, dict[str, float]] = {}
    for name in names:
        for step, value in diary.series.get(name, []):
            steps.setdefault(step, {})[name] = value
    for step in sorted(steps):
        yield [step, *(steps[step].get(name, "") for name in names)]


def _csv(head: list[str], lines: Iterable[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(map(_plain, (head, *lines)))
    return text.getvalue()


def _plain(line: Iterable[Any]) -> list[Any]:
    return [neutral(cell) if isinstance(cell, str) else cell for cell in line]


def tail(path: Path, lines: int = 40, most_bytes: int = 64_000) -> str:
    """Return the last lines of a log; carriage-return progress bars count as one line each."""
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - most_bytes))
            text = handle.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    kept = [line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join(kept[-lines:]).strip("\n")


def _finite(value: float) -> bool:
    return value - value == 0  # NaN and infinity less themselves are NaN


def _alike(event: Event) -> tuple[str, Any]:
    return event.type, event.values.keys() if event.type == "metrics" else None


def _step(values: dict[str, Any]) -> int:
    return int(values.get("step") or 0)
