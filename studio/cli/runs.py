"""Looking at runs and steering them."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say
from studio.config import files
from studio.runs.lastwords import tail
from studio.runs.store import Run, RunStore

app = typer.Typer(help="List, show, stop and resume runs.", no_args_is_help=False)
RunId = Annotated[str, typer.Argument(metavar="RUN_ID")]


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """List the runs of the workspace."""
    if context.invoked_subcommand is None:
        list_(workspace, json)


@app.command("list")
def list_(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """All runs, newest first."""
    found = RunStore(locate(workspace)).list()
    if json:
        print_json({"runs": [summary(run) for run in found]})
        return
    if not found:
        say("No runs yet. `python -m studio demo` makes two.")
    for run in found:
        status = run.status
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.queued))
        typer.echo(
            f"{run.run_id:<48} {run.config.method:<4} {status.state:<9} "
            f"{status.step:>6}/{status.total_steps:<6} {started}"
        )


@app.command()
def show(run_id: RunId, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Settings, state and the end of the log of one run."""
    run = RunStore(locate(workspace)).get(run_id)
    if json:
        print_json({**summary(run), "config": run.config.model_dump(mode="json")})
        return
    typer.echo(files.dump(run.config))
    for key, value in summary(run).items():
        typer.echo(f"{key}: {value}")
    typer.echo("\n".join(tail(run.paths, 15)))


@app.command()
def stop(
    run_id: RunId,
    now: Annotated[bool, typer.Option("--now", help="Without saving a checkpoint.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Ask a run to stop; it saves first."""
    from studio.services.supervisor import Supervisor

    Supervisor(locate(workspace)).stop(run_id, now=now)
    say(f"{run_id} stops after the current step.")


@app.command()
def resume(run_id: RunId, workspace: WorkspaceOption = None) -> None:
    """Go on with a stopped or failed run, here in the foreground."""
    from studio.services.foreground import follow, start_now

    place = locate(workspace)
    run = RunStore(place).get(run_id)
    status = follow(start_now(run.config, place, run))
    raise typer.Exit(0 if status.state == "finished" else 1)


def summary(run: Run) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "run_id": run.run_id,
        "name": run.config.name,
        "method": run.config.method,
        "model": run.config.model.id,
        "data": run.config.data.source,
        "adapter": str(run.paths.adapter) if run.has_adapter else None,
        **asdict(run.status),
    }
