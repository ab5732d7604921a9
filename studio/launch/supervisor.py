"""The run supervisor: takes the next queued run, starts its worker, records what became of it.

One studio per workspace supervises (a file lock decides); others only look. Workers are
detached: they outlive the studio and are found again by process id and start time.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time

from filelock import FileLock, Timeout

from studio.annotation import AnnotationStore
from studio.config import RunConfig
from studio.core.errors import ConflictError, InputError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.launch.evaluation_job import EvaluationJobs, is_here
from studio.launch.queue_order import OrderJobs
from studio.launch.run_preparation import prepare
from studio.launch.worker_process import launch_worker
from studio.runs import queue
from studio.runs.control import commands
from studio.runs.control.commands import mark_dead
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from studio.runs.store import Run, RunStore

logger = logging.getLogger(__name__)
INTERVAL = 0.5
STARTUP_GRACE = 60.0
MOST_LAUNCHES = 3
TWICE_WITHIN = 5.0


class Supervisor:
    """Owns the queue of a workspace.

    Args:
        library: The open store, from which rows are frozen; None: opened for it.
    """

    def __init__(self, workspace: Workspace, library: AnnotationStore | None = None) -> None:
        self.workspace, self._library = workspace, library
        self.store = RunStore(workspace)
        self._lock = FileLock(workspace.supervisor_lock)
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._children: dict[str, subprocess.Popen] = {}
        self._trouble = ""
        self.evaluations = EvaluationJobs(workspace)
        self.orders = OrderJobs(workspace)

    def start(self) -> None:
        """Begin supervising in a background thread."""
        self._thread = threading.Thread(target=self._loop, name="run-supervisor", daemon=True)
        self._thread.start()

    @property
    def supervising(self) -> bool:
        """Whether this studio, not another one on the workspace, starts the runs."""
        return self._lock.is_locked

    def shutdown(self) -> None:
        """Stop supervising; running workers go on."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._lock.release()

    def submit(self, config: RunConfig) -> str:
        """Queue a run and return its id; rows of the library are frozen first.

        Raises:
            DataError: Nothing in the library's dataset can be trained on.
            ConfigError: The settings contradict each other.
            ConflictError: The same run was submitted a moment ago (a button clicked twice).
        """
        config = prepare(config, self.workspace, self._library)
        with queue.locked(self.workspace):
            self._refuse_twice(config)
            run = self.store.create(config)
        self._wake.set()
        return run.run_id

    def stop(self, run_id: str, now: bool = False) -> None:
        """Ask a run to stop, saving first unless `now`; a waiting one is taken off the queue."""
        commands.stop(self.store, run_id, now)
        self._wake.set()

    def save_now(self, run_id: str) -> None:
        """Ask a run for a checkpoint."""
        commands.save_now(self.store, run_id)

    def resume(self, run_id: str, step: int | None = None) -> None:
        """Queue a run again; it goes on from its last complete checkpoint, or that of `step`.

        Raises:
            ConflictError: It is queued, running or done.
        """
        commands.resume(self.store, run_id, step)
        self._wake.set()

    def use_checkpoint(self, run_id: str, step: int) -> None:
        """Let an ended run's weights be those of a complete checkpoint.

        Raises:
            ConflictError: It has not ended, or its checkpoints do not fit the base model.
        """
        commands.use_checkpoint(self.store, run_id, step)

    def push(self, run_id: str) -> None:
        """Push an ended run's weights to the hub in the background; its status tells the end.

        Raises:
            ConflictError: It has not ended, or left no weights.
            BusyError: It is being pushed already.
        """
        commands.pushable(self.store, run_id)
        threading.Thread(target=self._push, args=(run_id,), name="push", daemon=True).start()

    def _push(self, run_id: str) -> None:
        try:
            commands.push(self.store, run_id)
        except StudioError as error:  # the run's status has it
            log_told(error)

    def extend(self, run_id: str, epochs: float) -> None:
        """Queue a run that ended again, to train for `epochs` in all.

        Raises:
            ConflictError: It has not ended, or left no checkpoint.
            ConfigError: It has trained that long already.
        """
        commands.extend(self.store, run_id, epochs)
        self._wake.set()

    def move(self, run_id: str, by: int) -> None:
        """Let a waiting run go `by` places down the queue (-1: one up)."""
        queue.move(self.store, run_id, by)

    def pause(self, paused: bool) -> None:
        """Start no waiting run until told otherwise; those under way go on."""
        queue.set_paused(self.workspace, paused)
        self._wake.set()

    def step(self) -> None:
        """One round: reap, reconcile, start. Called by the thread; public for tests."""
        for run in self.store.list():
            self._reconcile(run)
        with queue.locked(self.workspace):
            runs = self.store.list()
            line = queue.waiting(runs)
            busy = any(run.status.active and is_here(run) for run in runs)
            measuring = self.evaluations.busy or self.orders.busy
            free = bool(line) and not ((busy or measuring) and is_here(line[0]))
            paused = queue.is_paused(self.workspace)
            if free and not paused:
                self._launch(line[0])
        waits = any(is_here(run) for run in line)
        unused = not (busy or paused or waits or self.orders.busy)
        self.evaluations.step(unused, runs)
        if unused and self._library is not None and not self.evaluations.busy:
            self.orders.step(self._library)

    def _launch(self, run: Run) -> None:
        try:
            self._children[run.run_id] = launch_worker(run)
        except (InputError, OSError) as error:
            log_told(error)
            commands.mark_unstartable(run.paths, error)

    def _refuse_twice(self, config: RunConfig) -> None:
        for run in self.store.list():
            if abs(time.time() - run.status.queued) > TWICE_WITHIN:
                continue
            if run.status.state in ("queued", "starting", "running") and run.config == config:
                raise ConflictError(
                    f"The same run was started a moment ago: {run.run_id}.",
                    remedy="It is in Runs. Change its name or seed to train it twice.",
                )

    def _loop(self) -> None:
        while not self._closing:
            self._round()
            self._wake.wait(INTERVAL)
            self._wake.clear()

    def _round(self) -> None:
        """`step`, if this studio supervises; what goes wrong is logged once and tried again."""
        try:
            if self._supervising():
                self.step()
            self._trouble = ""
        except Exception as error:  # a full disk, a lock held for long: the queue must outlive it
            if str(error) != self._trouble:
                logger.exception("The supervisor of runs could not do its round; it tries again.")
            self._trouble = str(error)

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
        ended = child is not None and child.poll() is not None
        if ended:
            del self._children[run.run_id]
        if not run.status.active:
            return
        if run.alive:
            commands.enforce_stop(run)
        elif run.status.pid or ended or run.status.state != "starting":
            mark_dead(run.paths)
            with contextlib.suppress(InputError):  # its run file is damaged
                commands.go_on_with_less(self.store, run.run_id)
        elif child is None and abs(time.time() - run.status.updated) > STARTUP_GRACE:
            _start_over(run)


def _start_over(run: Run) -> None:
    """A studio died while starting this worker, which never came up: back into the queue."""
    if run.status.launches >= MOST_LAUNCHES:
        mark_dead(run.paths)
        return
    EventLog(run.paths.events).append("stage", stage="queued")
    update_status(run.paths, state="queued", stage="", launches=run.status.launches + 1)
