"""A run started from the command line and followed until it ends; same worker, same folder."""

from __future__ import annotations

import subprocess
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from studio.config import RunConfig
from studio.errors import NotFoundError
from studio.paths import Workspace
from studio.runs import control
from studio.runs.status import ENDED, RunStatus, process_alive, read_status
from studio.runs.store import Run, RunStore
from studio.services.supervisor import launch_worker, mark_dead, requeue

POLL = 0.2
_workers: dict[str, subprocess.Popen] = {}


def resumable(config: RunConfig, workspace: Workspace) -> Run:
    """The newest stopped or failed run of this name.

    Raises:
        NotFoundError: There is none.
    """
    for run in RunStore(workspace).list():
        if run.config.name == config.name and run.status.state in ("stopped", "failed"):
            return run
    raise NotFoundError(
        f"No stopped or failed run is called {config.name!r}.",
        remedy="Leave out --resume to start a new one.",
    )


def start_now(config: RunConfig, workspace: Workspace, run: Run | None = None) -> Run:
    """Start a new run, or `run` again, without waiting for the queue."""
    store = RunStore(workspace)
    if run is None:
        run = store.create(config, state="starting")
    else:
        requeue(run, state="starting")
        run = store.get(run.run_id)
    _workers[run.run_id] = launch_worker(run)
    return store.get(run.run_id)


def follow(run: Run, quiet: bool = False) -> RunStatus:
    """Show progress until the run ends. Ctrl-C asks it to stop and save, a second one leaves it."""
    console = Console(stderr=True, quiet=quiet)
    asked = False
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None)
        while True:
            try:
                status = _look(run)
                bar.update(
                    task,
                    description=status.stage or status.state,
                    completed=status.step,
                    total=status.total_steps or None,
                )
                if status.state in ENDED:
                    break
                time.sleep(POLL)
            except KeyboardInterrupt:
                if asked:
                    raise
                asked = True
                control.request(run.paths, "stop")
                console.print("Stopping after this step; Ctrl-C again leaves it running.")
    console.print(_verdict(run, status))
    return status


def _look(run: Run) -> RunStatus:
    worker = _workers[run.run_id]
    gone = worker.poll() is not None
    status = read_status(run.paths)
    if gone and status.active and not process_alive(status.pid, status.pid_started):
        mark_dead(run.paths)
        status = read_status(run.paths)
    return status


def _verdict(run: Run, status: RunStatus) -> str:
    words = f"{status.state} after {status.step} steps, {status.training_seconds:.0f} s of training"
    why = f": {status.message} {status.remedy}" if status.message else ""
    return f"{run.run_id} {words}{why}"
