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

from studio.config import RunConfig, run_file
from studio.core.errors import NotFoundError
from studio.core.paths import Workspace
from studio.core.process_identity import process_alive
from studio.launch.evaluation_job import RUN_EVALUATOR, start_child
from studio.launch.held_out_evaluation import begin_attempt
from studio.launch.worker_process import launch_worker
from studio.runs import held_out_result
from studio.runs.control import command_file, commands
from studio.runs.control.commands import mark_dead
from studio.runs.control.resumable_changes import differences, ensure_resumable
from studio.runs.held_out_result import HeldOutResult
from studio.runs.status import ENDED, RunStatus, read_status
from studio.runs.store import Run, RunStore

POLL = 0.2
_workers: dict[str, subprocess.Popen] = {}


def resumable(config: RunConfig, workspace: Workspace) -> Run:
    """The newest stopped or failed run of this name, to go on with the settings of `config`.

    Raises:
        NotFoundError: There is none.
        ConfigError: `config` would make it another run; each setting is named.
    """
    for run in RunStore(workspace).list():
        if run.config.name == config.name and run.status.state in ("stopped", "failed"):
            before = run.config.model_dump(mode="json")
            ensure_resumable(before, config)
            if differences(before, config.model_dump(mode="json")):
                run_file.save(config, run.paths.config)
            return RunStore(workspace).get(run.run_id)
    raise NotFoundError(
        f"No stopped or failed run is called {config.name!r}.",
        remedy="Leave out --resume to start a new one.",
    )


def start_now(
    config: RunConfig, workspace: Workspace, run: Run | None = None, step: int | None = None
) -> Run:
    """Start a new run, or `run` again from its checkpoint of `step`, without the queue."""
    store = RunStore(workspace)
    if run is None:
        run = store.create(config, state="starting")
    else:
        commands.resume(store, run.run_id, step, state="starting")
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
                done, total = status.counted
                bar.update(
                    task,
                    description=status.stage or status.state,
                    completed=done,
                    total=total or None,
                )
                if status.state in ENDED:
                    break
                time.sleep(POLL)
            except KeyboardInterrupt:
                if asked:
                    raise
                asked = True
                command_file.request(run.paths, "stop")
                console.print("Stopping after this step; Ctrl-C again leaves it running.")
    console.print(_verdict(run, status))
    return status


def measure(run: Run, quiet: bool = False) -> HeldOutResult | None:
    """Measure a run that has finished on its held-out rows, if it wants that; wait for the end.

    Ctrl-C leaves it; a studio on the workspace goes on with it.
    """
    if not run.paths.evaluation.is_file() or not begin_attempt(run):
        return None
    console = Console(stderr=True, quiet=quiet)
    console.print("Answering held-out rows, as the model began and as it ended …")
    with run.paths.log.open("ab") as log:
        child = start_child([*RUN_EVALUATOR, str(run.paths.root)], log)
    try:
        child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        held_out_result.give_up(run.paths)
        raise
    held_out_result.give_up(run.paths)
    found = held_out_result.read(run.paths)
    if found is not None and found.sentence:
        console.print(found.sentence, markup=False, highlight=False)
    return found


def _look(run: Run) -> RunStatus:
    worker = _workers[run.run_id]
    gone = worker.poll() is not None
    status = read_status(run.paths)
    if status.active and process_alive(status.pid, status.pid_started):
        commands.enforce_stop(Run(run.paths, status))
    elif gone and status.active:
        mark_dead(run.paths)
        store = RunStore(Workspace.locate(run.paths.root.parent.parent))
        if commands.go_on_with_less(store, run.run_id, state="starting"):
            _workers[run.run_id] = launch_worker(store.get(run.run_id))
    return read_status(run.paths)


def _verdict(run: Run, status: RunStatus) -> str:
    words = f"{status.state} after {status.step} steps, {status.training_seconds:.0f} s of training"
    why = f": {status.message} {status.remedy}" if status.message else ""
    pushed = f"\nPushed to {status.pushed}" if status.pushed else ""
    if status.push_error:
        pushed = f"\n{status.push_error} {status.push_remedy}"
    return f"{run.run_id} {words}{why}{pushed}"
