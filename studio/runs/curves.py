"""What a run's diary adds up to: one series per metric, where it stands, how long it still takes."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.runs.events import Event, read_events

MOST_POINTS = 500
_NO_METRIC = {"step", "epoch", "total", "seconds_per_step"}
_RECENT = 20

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Notice:
    """Something the worker wants to be read: a warning, or a setting it changed by itself."""

    type: str
    message: str
    remedy: str = ""


@dataclass
class Diary:
    """Everything read from one `events.jsonl` so far; `refresh` reads what was added.

    Attributes:
        series: Metric name to (optimizer step, value), by rising step. Steps repeated after a
            resume replace the earlier ones.
        not_finite: Metrics that were NaN or infinite, with the step at which they first were.
        step, total: Optimizer steps done and planned.
        checkpoint: Step of the last complete checkpoint, 0 without one.
    """

    path: Path
    series: dict[str, Points] = field(default_factory=dict)
    not_finite: dict[str, int] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    stage: str = ""
    step: int = 0
    total: int = 0
    seconds_per_step: float = 0.0
    checkpoint: int = 0
    _offset: int = 0
    _recent: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def refresh(self) -> Diary:
        """Read the lines added since last time."""
        batch = read_events(self.path, self._offset)
        for event in batch.events:
            self._take(event)
        self._offset = batch.offset
        return self

    @property
    def seconds_left(self) -> float | None:
        """Time to the last step at the present pace; None while there is nothing to go by."""
        if not self.seconds_per_step or not self.total:
            return None
        return max(self.total - self.step, 0) * self.seconds_per_step

    def curve(self, name: str, most: int = MOST_POINTS) -> Points:
        """The points of a metric, thinned to at most `most` with peaks and dips kept."""
        return thin(self.series.get(name, []), most)

    def last(self, name: str) -> float | None:
        """The latest value of a metric."""
        points = self.series.get(name)
        return points[-1][1] if points else None

    def _take(self, event: Event) -> None:
        values = event.values
        if event.type in ("metrics", "evaluation"):
            self._add_metrics(values)
        elif event.type == "progress":
            self._progress(values, event.time)
        elif event.type == "stage":
            self.stage = str(values.get("stage", ""))
            self._recent.clear()
        elif event.type == "checkpoint":
            self.checkpoint = _step(values)
        elif event.type in ("warning", "changed", "fast_path"):
            notice = Notice(
                event.type, str(values.get("message", "")), str(values.get("remedy", ""))
            )
            if notice not in self.notices:
                self.notices.append(notice)

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

    def _add_metrics(self, values: dict[str, Any]) -> None:
        step = _step(values)
        for name, value in values.items():
            if name in _NO_METRIC or isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if not math.isfinite(value):
                self.not_finite.setdefault(name, step)
                continue
            points = self.series.setdefault(name, [])
            while points and points[-1][0] >= step:
                points.pop()
            points.append((step, float(value)))


def thin(points: Points, most: int = MOST_POINTS) -> Points:
    """At most `most` of `points`: the lowest and the highest of each stretch, first and last kept."""
    if len(points) <= most or most < 4:
        return list(points)
    buckets = (most - 2) // 2
    inner = points[1:-1]
    kept = [points[0]]
    for index in range(buckets):
        stretch = inner[index * len(inner) // buckets : (index + 1) * len(inner) // buckets]
        extremes = {min(stretch, key=_value), max(stretch, key=_value)}
        kept.extend(sorted(extremes))
    return [*kept, points[-1]]


def smooth(points: Points, weight: float = 0.9) -> Points:
    """Exponential moving average without start-up bias (Kingma & Ba 2015, section 3)."""
    smoothed, average, seen = [], 0.0, 0.0
    for step, value in points:
        average = weight * average + (1 - weight) * value
        seen = weight * seen + (1 - weight)
        smoothed.append((step, average / seen))
    return smoothed


def tail(path: Path, lines: int = 40, most_bytes: int = 64_000) -> str:
    """The last lines of a log; carriage-return progress bars count as one line each."""
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - most_bytes))
            text = handle.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    kept = [line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join(kept[-lines:]).strip("\n")


def _step(values: dict[str, Any]) -> int:
    return int(values.get("step") or 0)


def _value(point: tuple[int, float]) -> float:
    return point[1]
