"""The order in which runs wait, and whether the queue is paused."""

from __future__ import annotations

from collections.abc import Iterable

from filelock import FileLock

from studio.core.errors import ConflictError
from studio.core.paths import Workspace, read_state, write_json
from studio.runs.status import update_status
from studio.runs.store import Run, RunStore


def locked(workspace: Workspace) -> FileLock:
    """Held while a run changes between waiting, starting and stopped, by whichever process."""
    return FileLock(workspace.queue_lock, timeout=30)


def waiting(runs: Iterable[Run]) -> list[Run]:
    """Return the queued runs, next one first."""
    queued = [run for run in runs if run.status.state == "queued"]
    return sorted(queued, key=lambda run: (run.status.queued, run.run_id))


def is_paused(workspace: Workspace) -> bool:
    """Return whether no waiting run is started; those under way go on."""
    return bool(read_state(workspace.queue).get("paused"))


def set_paused(workspace: Workspace, paused: bool) -> None:
    """Pause the queue or let it go on."""
    write_json(workspace.queue, {"paused": paused})


def move(store: RunStore, run_id: str, by: int) -> None:
    """Let a waiting run change places with the one `by` places away (-1: one earlier).

    Raises:
        ConflictError: It is not waiting any more.
    """
    with locked(store.workspace):
        line = waiting(store.list())
        place = next((index for index, run in enumerate(line) if run.run_id == run_id), None)
        if place is None:
            raise ConflictError(f"Run {run_id} is not waiting.", remedy="Only waiting runs move.")
        other = min(max(place + by, 0), len(line) - 1)
        line.insert(other, line.pop(place))
        times = sorted(run.status.queued for run in line)
        for run, when in zip(line, times, strict=True):
            if run.status.queued != when:
                update_status(run.paths, queued=when)
