"""What the Runs tab and the header know about runs, read from disk and remembered between polls.

A poll looks at each run's files (a `stat` each) and reads only what changed; diaries are read for
the runs whose curves are shown, from where they were left.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.config import RunConfig
from studio.config.job_flavors import sent_elsewhere
from studio.config.schedule import MOST_EPOCHS
from studio.core.errors import InputError, StudioError
from studio.runs import checkpoints
from studio.runs.control import command_file
from studio.runs.curves import Diary
from studio.runs.hub_push import push_under_way
from studio.runs.run_summary import CardIndex, RunCard, Stamp, stamp
from studio.runs.sign_of_life import stalled
from studio.runs.status import CACHING, ENDED, INITIALIZING, RunStatus, read_status
from studio.runs.store import Run, RunStore

if TYPE_CHECKING:
    from studio.core.paths import RunPaths

MOST_DIARIES = 16
"""Of runs looked at lately; each holds thousands of points."""

BEFORE_TRAINING = (
    "starting",
    "checking",
    "loading",
    INITIALIZING,
    CACHING,
    "submitting",
    "waiting",
)


@dataclass(frozen=True)
class RunSummary:
    """One run as the list shows it; its diary and settings are read when they are asked for."""

    run: Run
    card: RunCard
    reader: RunReader

    @property
    def name(self) -> str:
        return self.card.name or self.run.run_id

    @property
    def config(self) -> RunConfig | None:
        """Its settings; None when its run file cannot be read."""
        return self.reader.config(self.run)

    @property
    def diary(self) -> Diary:
        """What happened so far."""
        return self.reader.diary(self.run)

    @property
    def state(self) -> str:
        return "stalled" if stalled(self.run) else self.run.status.state

    @property
    def wish(self) -> command_file.Command:
        """What the run was asked for and has not done yet."""
        return command_file.requested(self.run.paths) if self.run.status.active else "none"

    @property
    def job(self) -> bool:
        """Whether it trains as a Hugging Face job."""
        return self.config is not None and sent_elsewhere(self.config)

    @property
    def pushing(self) -> bool:
        """Whether the weights of a run that ended are on their way to the hub."""
        return self.run.status.state in ENDED and push_under_way(self.run.paths)

    @property
    def here(self) -> bool:
        """Whether it trains on this machine, where one run goes on at a time."""
        return not self.run.status.elsewhere and not self.job

    @property
    def checkpoint(self) -> int:
        """Step of the last complete checkpoint there is; 0 without one."""
        last = checkpoints.latest_checkpoint(self.run.paths)
        return checkpoints.step_of(last) if last else 0

    @property
    def seconds_left(self) -> float | None:
        """Training time left; None when it is not training or the pace is not known."""
        status = self.run.status
        if (
            self.state == "stalled"
            or not status.active
            or status.stage in BEFORE_TRAINING
            or not status.total_steps
        ):
            return None
        pace = self.diary.seconds_per_step
        return max(status.total_steps - status.step, 0) * pace if pace else None

    @property
    def version(self) -> str:
        """Changes whenever the run's line in the list does."""
        status = self.run.status
        shown = (self.run.run_id, self.state, status.updated, status.queued, self.name, self.wish)
        return ":".join(map(str, shown))

    @property
    def detail_version(self) -> str:
        """Changes whenever something of the run worth redrawing does."""
        paths = self.run.paths
        stamps = map(stamp, (paths.events, paths.log, paths.config, paths.evaluation))
        there = f"{self.run.has_adapter}:{self.pushing}"
        return f"{self.version}:{there}:{list(stamps)}"


class RunReader:
    """Reads runs; whatever did not change on disk is not read again."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.cards = CardIndex(store.workspace)
        self._statuses: dict[str, tuple[Stamp | None, RunStatus]] = {}
        self._configs: dict[str, tuple[Stamp | None, RunConfig | None]] = {}
        self._diaries: dict[str, Diary] = {}
        self._lock = threading.RLock()

    def list(self) -> list[RunSummary]:
        """All runs, newest first."""
        try:
            with os.scandir(self.store.workspace.runs) as found:
                names = sorted((entry.name for entry in found), reverse=True)
        except FileNotFoundError:
            return []
        self._forget(set(names))
        runs = [run for run in map(self._summary, names) if run is not None]
        self.cards.save()
        return runs

    def _forget(self, names: set[str]) -> None:
        """Let go of what was read of runs that are no longer there."""
        known: tuple[dict[str, Any], ...] = (self._statuses, self._configs, self._diaries)
        with self._lock:
            for read in known:
                for gone in read.keys() - names:
                    del read[gone]

    def get(self, run_id: str | None) -> RunSummary | None:
        """One run; None when there is none of that id."""
        try:
            return self._summary(self.store.get(run_id).run_id) if run_id else None
        except StudioError:
            return None

    def diary(self, run: Run) -> Diary:
        """Return the run's diary, read to the end."""
        with self._lock:
            diary = self._diaries.get(run.run_id)
            if diary is None or (stamp(run.paths.events) or (0, 0))[1] < diary.offset:
                diary = Diary(run.paths.events)
            self._diaries.pop(run.run_id, None)
            self._diaries[run.run_id] = diary  # the last in order: the first was used least lately
            while len(self._diaries) > MOST_DIARIES:
                del self._diaries[next(iter(self._diaries))]
            return diary.refresh()

    def config(self, run: Run) -> RunConfig | None:
        """Return the run's settings; None when they cannot be read."""
        now = stamp(run.paths.config)
        with self._lock:
            known = self._configs.get(run.run_id)
            if known is None or known[0] != now:
                self._configs[run.run_id] = known = (now, run.known_config)
            return known[1]

    def _summary(self, run_id: str) -> RunSummary | None:
        paths = self.store.workspace.run(run_id)
        card = self.cards.get(paths)
        return RunSummary(Run(paths, self._status(paths)), card, self) if card else None

    def _status(self, paths: RunPaths) -> RunStatus:
        now = stamp(paths.status)
        with self._lock:
            known = self._statuses.get(paths.run_id)
            if known is None or known[0] != now:
                self._statuses[paths.run_id] = known = (now, read_status(paths))
            return known[1]


def current(runs: list[RunSummary]) -> RunSummary | None:
    """Return the run that is going on, else the one that waits longest."""
    going = [item for item in runs if item.run.status.active]
    waiting = [item for item in runs if item.run.status.state == "queued"]
    if going:
        return going[-1]
    return min(waiting, key=lambda item: item.run.status.queued) if waiting else None


def in_line(runs: list[RunSummary]) -> list[RunSummary]:
    """Return the waiting runs, the next one first."""
    queued = [item for item in runs if item.run.status.state == "queued"]
    return sorted(queued, key=lambda item: (item.run.status.queued, item.run.run_id))


def turn(chosen: RunSummary, runs: list[RunSummary], paused: bool) -> str:
    """Return when a waiting run starts; empty for one that does not wait."""
    line = [item.run.run_id for item in in_line(runs)]
    if chosen.run.run_id not in line:
        return ""
    if paused:
        return "The queue is paused: no run starts until it goes on."
    before = line.index(chosen.run.run_id)
    if before:
        return f"Waits for its turn; {before} run{'s go' if before > 1 else ' goes'} first."
    busy = next((item for item in runs if item.run.status.active and item.here), None)
    if busy is None or not chosen.here:
        return "Starts in a moment."
    return f'Next in line: starts when "{busy.name}" ends.'


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


def comparable(runs: list[RunSummary], chosen: RunSummary) -> list[tuple[str, str]]:
    """Names and ids; where runs share a name, how long ago they were started tells them apart."""
    others = [item for item in runs if item.run.run_id != chosen.run.run_id]
    times = Counter(item.name for item in others)
    return [
        (
            f"{item.name} · {ago(item.run.status.queued)}" if times[item.name] > 1 else item.name,
            item.run.run_id,
        )
        for item in others
    ]


def epochs_of(text: str | None) -> float:
    """Return the number of epochs that was typed.

    Raises:
        InputError: It is none.
    """
    said = (text or "").strip()
    try:
        epochs = float(said.replace(",", "."))
    except ValueError:
        epochs = 0.0
    if not 0 < epochs < float("inf"):
        problem = f"{said[:40]!r} is no number of epochs." if said else "How long?"
        raise InputError(problem, remedy="Give the number of epochs in all, like 5 or 2.5.")
    if epochs > MOST_EPOCHS:
        raise InputError(
            f"{said[:40]} epochs are too many.", remedy=f"{MOST_EPOCHS:,} are the most."
        )
    return epochs
