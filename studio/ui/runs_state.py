"""What the Runs tab and the header know about runs, read from disk and remembered between polls."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from studio.config import RunConfig
from studio.errors import StudioError
from studio.runs.curves import Diary
from studio.runs.store import Run, RunStore


@dataclass(frozen=True)
class RunSummary:
    """One run as the list shows it; `config` is None when its run file cannot be read."""

    run: Run
    config: RunConfig | None
    diary: Diary

    @property
    def name(self) -> str:
        return self.config.name if self.config else self.run.run_id

    @property
    def state(self) -> str:
        return "stalled" if self.run.stalled else self.run.status.state

    @property
    def seconds_left(self) -> float | None:
        """Training time left; None when it is not training or the pace is not known yet."""
        status = self.run.status
        started = status.active and status.stage not in ("starting", "checking", "loading")
        if not started or not self.diary.seconds_per_step or not status.total_steps:
            return None
        return max(status.total_steps - status.step, 0) * self.diary.seconds_per_step

    @property
    def version(self) -> str:
        """Changes whenever something worth redrawing changed."""
        paths = self.run.paths
        sizes = [path.stat().st_size for path in (paths.events, paths.log) if path.is_file()]
        parts = (self.run.run_id, self.state, self.run.status.updated, self.run.has_adapter, *sizes)
        return ":".join(map(str, parts))


class RunReader:
    """Reads runs; settings are parsed once and diaries only from where they were left."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._configs: dict[str, RunConfig | None] = {}
        self._diaries: dict[str, Diary] = {}
        self._lock = threading.Lock()

    def list(self) -> list[RunSummary]:
        """All runs, newest first."""
        return [self._summary(run) for run in self.store.list()]

    def get(self, run_id: str | None) -> RunSummary | None:
        """One run with its diary read to the end; None when there is none of that id."""
        if not run_id:
            return None
        try:
            return self._summary(self.store.get(run_id))
        except StudioError:
            return None

    def current(self) -> RunSummary | None:
        """The run that is going on, else the one that waits longest."""
        runs = [run for run in self.store.list() if run.status.active]
        if not runs:
            runs = [run for run in self.store.list() if run.status.state == "queued"]
        return self._summary(runs[-1]) if runs else None

    def _summary(self, run: Run) -> RunSummary:
        with self._lock:
            if run.run_id not in self._configs:
                self._configs[run.run_id] = _config(run)
                self._diaries[run.run_id] = Diary(run.paths.events)
            diary = self._diaries[run.run_id].refresh()
            return RunSummary(run, self._configs[run.run_id], diary)


def _config(run: Run) -> RunConfig | None:
    try:
        return run.config
    except StudioError:
        return None


def ago(when: float, now: float | None = None) -> str:
    """How long since `when` (seconds since the epoch): `just now`, `5 min ago`, `24 Nov 13:05`."""
    passed = (now or time.time()) - when
    if passed < 60:
        return "just now"
    if passed < 3600:
        return f"{int(passed // 60)} min ago"
    if passed < 86_400:
        return f"{int(passed // 3600)} h ago"
    return time.strftime("%d %b %H:%M", time.localtime(when))
