"""Training in the foreground, and queueing for a running studio."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from studio.cli.options import (
    JsonOption,
    Overrides,
    RunFile,
    WorkspaceOption,
    locate,
    print_json,
    read_config,
    say,
)
from studio.cli.plan import describe
from studio.config import RunConfig
from studio.core.errors import InputError
from studio.core.paths import Workspace


def train(
    run_file: RunFile,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last stopped run of this name.")
    ] = False,
    set_: Overrides = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Train in the foreground, with a progress bar."""
    from studio.launch.foreground_run import follow, measure, resumable, start_now
    from studio.launch.run_preparation import prepare
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    from studio.training.planning.preflight_plan import plan_run

    place = locate(workspace)
    config = prepare(read_config(run_file, set_), place)
    if resume:
        run = resumable(config, place)
    else:
        found, _ = plan_run(config, place)
        say(describe(found))
        run = None
    run = start_now(config, place, run)
    say(f"Run {run.run_id}")
    status = follow(run, quiet=json)
    measured = measure(run, quiet=json)
    if json:
        print_json(
            {
                "run_id": run.run_id,
                "state": status.state,
                "steps": status.step,
                "seconds": status.training_seconds,
                "message": status.message,
                "evaluation": asdict(measured) if measured else None,
            }
        )
    return 0 if status.state == "finished" else 130 if status.state == "stopped" else 1


def submit(
    run_file: RunFile,
    set_: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be started or sent, and do nothing.")
    ] = False,
    namespace: Annotated[
        str | None,
        typer.Option(help="Account that a job would run under; for --dry-run.", show_default="me"),
    ] = None,
    workspace: WorkspaceOption = None,
) -> int:
    """Put a run into the queue of the workspace; a running studio takes it from there."""
    from studio.launch.supervisor import Supervisor

    if dry_run:
        _show_launch(read_config(run_file, set_), locate(workspace), namespace or "me")
        return 0
    if namespace:
        raise InputError(
            "--namespace is for --dry-run only.",
            remedy="A run that is sent goes to the account whose token is used: leave it out.",
        )
    run_id = Supervisor(locate(workspace)).submit(read_config(run_file, set_))
    typer.echo(run_id)
    return 0


def _show_launch(config: RunConfig, place: Workspace, namespace: str) -> None:
    from studio.config.job_flavors import sent_elsewhere
    from studio.launch.hf_jobs import build_job
    from studio.launch.run_preparation import prepare
    from studio.launch.worker_process import worker_command
    from studio.runs.store import RunStore

    config = prepare(config, place)
    store = RunStore(place)
    run = store.create(config, state="stopped")
    try:
        if sent_elsewhere(config):
            print_json(build_job(run, place, namespace).to_json())
        else:
            print_json({"command": worker_command(config, run.paths)})
    finally:
        store.delete(run.run_id)
