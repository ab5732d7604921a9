"""The run's diary: append-only JSON lines that any process may read while they are written."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One line of the diary.

    Attributes:
        type: `stage`, `progress`, `metrics`, `evaluation`, `checkpoint`, `resumed`, `finding`,
            `probe_rows`, `probe`, `forgetting`, `warning`, `changed`, `reference_check`,
            `finished`, `failed` or `stopped`. After `resumed` the steps above its own did not
            happen: all of them where its step is 0.
        time: Seconds since the epoch.
        values: What the type carries; metrics keep TRL's names (`loss`, `rewards/margins`, …).
    """

    type: str
    time: float
    values: dict[str, Any]


class EventLog:
    """Writes events, one write call per line, so that a crash tears at most the last one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole_until = 0

    def append(self, type: str, **values: Any) -> None:
        """Add one event."""
        line = json.dumps(
            {"type": type, "time": round(time.time(), 3), **values},
            ensure_ascii=False,
            allow_nan=True,
        )
        with self.path.open("ab") as handle:
            end = handle.tell()
            torn = end not in (0, self._whole_until) and not _ends_with_newline(self.path)
            self._whole_until = end + handle.write(b"\n" * torn + line.encode() + b"\n")


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as handle:
        handle.seek(-1, 2)
        return handle.read(1) == b"\n"


@dataclass(frozen=True)
class EventBatch:
    """Events read, and where to go on reading."""

    events: list[Event]
    offset: int


def read_events(path: Path, offset: int = 0) -> EventBatch:
    """Complete lines after byte `offset`; torn or foreign lines are left out."""
    try:
        with path.open("rb") as handle:
            handle.seek(offset)
            data = handle.read()
    except FileNotFoundError:
        return EventBatch([], 0)
    end = data.rfind(b"\n") + 1
    return EventBatch(list(_parse(data[:end])), offset + end)


def _parse(data: bytes) -> Iterator[Event]:
    for values in _objects(data):
        if (
            isinstance(values, dict)
            and "type" in values
            and isinstance(values.get("time"), (int, float))
        ):
            yield Event(str(values.pop("type")), float(values.pop("time")), values)


def _objects(data: bytes) -> Iterator[Any]:
    """What each line holds; all lines are decoded in one go unless one of them is damaged."""
    lines = data.split(b"\n")
    try:
        yield from json.loads(b"[%b]" % b",".join(filter(None, lines)))
        return
    except ValueError:
        pass
    for line in lines:
        with contextlib.suppress(ValueError):
            yield json.loads(line)
