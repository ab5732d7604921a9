"""The run supervisor: takes the next queued run, starts its worker, records what became of it.

One studio per workspace supervises (a file lock decides); others only look. Workers are
detached: they outlive the studio and are found again by process id and start time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

from studio.config import RunConfig
from studio.config.checks import ensure_consistent
from studio.errors import ConflictError
from studio.paths import RunPaths, Workspace
from studio.runs import control
from studio.runs.events import EventLog
from studio.runs.lastwords import ATTEMPT_MARK, explain_death
from studio.runs.status import State, read_status, update_status
from studio.runs.store import Run, RunStore

INTERVAL = 0.5
STARTUP_GRACE = 60.0
WORKER = ("-m", "studio", "worker")
PROJECT_ROOT = Path(__file__).resolve().parents[2]


class Supervisor:
    """Owns the queue of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = RunStore(workspace)
        self._lock = FileLock(workspace.supervisor_lock)
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._children: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Begin supervising in a background thread."""
        self._thread = threading.Thread(target=self._loop, name="run-supervisor", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Stop supervising; running workers go on."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._lock.release()

    def submit(self, config: RunConfig) -> str:
        """Queue a run and return its id.

        Raises:
            ConfigError: The settings contradict each other.
        """
        ensure_consistent(config)
        run = self.store.create(config)
        self._wake.set()
        return run.run_id

    def stop(self, run_id: str, now: bool = False) -> None:
        """Ask a run to stop, saving first unless `now`; a queued one is taken off the queue."""
        run = self.store.get(run_id)
        if run.status.state == "queued":
            EventLog(run.paths.events).append("stopped", message="Taken off the queue.")
            update_status(run.paths, state="stopped", ended=time.time())
        elif run.status.active:
            control.request(run.paths, "stop_now" if now else "stop")

    def save_now(self, run_id: str) -> None:
        """Ask a run for a checkpoint."""
        run = self.store.get(run_id)
        if run.status.active:
            control.request(run.paths, "save")

    def resume(self, run_id: str) -> None:
        """Queue a stopped or failed run again; it goes on from its last complete checkpoint.

        Raises:
            ConflictError: It is queued, running or done.
        """
        requeue(self.store.get(run_id))
        self._wake.set()

    def step(self) -> None:
        """One round: reap, reconcile, start. Called by the thread; public for tests."""
        runs = self.store.list()
        for run in runs:
            self._reconcile(run)
        runs = self.store.list()
        if not any(run.status.active for run in runs):
            waiting = [run for run in runs if run.status.state == "queued"]
            if waiting:
                self._launch(min(waiting, key=lambda run: run.status.queued))

    def _loop(self) -> None:
        while not self._closing:
            if self._supervising():
                self.step()
            self._wake.wait(INTERVAL)
            self._wake.clear()

    def _supervising(self) -> bool:
        if self._lock.is_locked:
            return True
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def _reconcile(self, run: Run) -> None:
        child = self._children.get(run.run_id)
        if child is not None and child.poll() is not None:
            del self._children[run.run_id]
        if run.status.active and not run.alive and not _starting(run):
            mark_dead(run.paths)

    def _launch(self, run: Run) -> None:
        self._children[run.run_id] = launch_worker(run)


def _starting(run: Run) -> bool:
    return (
        run.status.state == "starting"
        and not run.status.pid
        and time.time() - run.status.updated < STARTUP_GRACE
    )


def requeue(run: Run, state: State = "queued") -> None:
    """Put a stopped or failed run back into the queue, or right into `starting`."""
    if run.status.state not in ("stopped", "failed"):
        raise ConflictError(
            f"Run {run.run_id} is {run.status.state}.",
            remedy="Only stopped or failed runs can be resumed.",
        )
    EventLog(run.paths.events).append("stage", stage="queued")
    update_status(
        run.paths,
        state=state,
        queued=time.time(),
        pid=0,
        pid_started=0.0,
        ended=0.0,
        message="",
        remedy="",
        field="",
        attempt=run.status.attempt + 1,
    )


def launch_worker(run: Run) -> subprocess.Popen:
    """Start the detached worker of `run`; its output goes to the run's log."""
    control.request(run.paths, "none")
    update_status(run.paths, state="starting", stage="starting", pid=0, pid_started=0.0)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")])
        ),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with run.paths.log.open("ab") as log:
        log.write(f"{ATTEMPT_MARK} {run.status.attempt + 1}\n".encode())
        log.flush()
        return subprocess.Popen(
            [sys.executable, *WORKER, str(run.paths.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            **_detached(),
        )


def _detached() -> dict[str, object]:
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def mark_dead(paths: RunPaths) -> None:
    """Record that a worker is gone without having said goodbye."""
    if not read_status(paths).active:
        return
    reason = explain_death(paths)
    EventLog(paths.events).append("failed", message=reason.message, remedy=reason.remedy)
    update_status(
        paths, state="failed", ended=time.time(), message=reason.message, remedy=reason.remedy
    )
