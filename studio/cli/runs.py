"""Looking at runs and steering them."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli import decisions
from studio.cli.options import (
    JsonOption,
    WorkspaceOption,
    locate,
    look_at,
    pass_on,
    print_json,
    say,
)
from studio.config import run_file
from studio.core.errors import ConflictError, InputError
from studio.core.local_time import minute
from studio.core.logs import log_told
from studio.launch.foreground_run import follow, measure, start_now
from studio.runs import held_out_result, queue
from studio.runs.control import commands
from studio.runs.curves import Diary
from studio.runs.diagnostics.crash_report import tail
from studio.runs.run_names import find_run
from studio.runs.store import Run, RunStore

app = typer.Typer(help="List, show, steer and give away runs.", no_args_is_help=False)
RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Its id, the beginning of it, or its name.")
]


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """List the runs of the workspace."""
    if context.invoked_subcommand is None:
        list_(workspace, json)
    else:
        pass_on(context, workspace=workspace, json=json)


@app.command("list")
def list_(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """All runs, newest first."""
    found = RunStore(look_at(workspace)).list()
    if json:
        print_json({"runs": [summary(run) for run in found]})
        return
    if not found:
        say("No runs yet. `python -m studio demo` makes two.")
    for run in found:
        status = run.status
        started = minute(status.queued)
        typer.echo(
            f"{run.run_id:<48} {_about(run)['method'] or '?':<4} {status.state:<9} "
            f"{status.step:>6}/{status.total_steps:<6} {started}"
        )


@app.command()
def show(run_id: RunId, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Settings, state and the end of the log of one run."""
    run = find_run(RunStore(look_at(workspace)), run_id)
    findings = Diary(run.paths.events).refresh().findings.values()
    if json:
        found = [finding.to_event() for finding in findings]
        print_json(
            {**summary(run), "findings": found, "config": run.config.model_dump(mode="json")}
        )
        return
    typer.echo(run_file.dump(run.config))
    about = summary(run)
    measured = about.pop("evaluation")
    for key, value in about.items():
        typer.echo(f"{key}: {value}")
    if measured and measured["sentence"]:
        typer.echo(measured["sentence"])
    for finding in findings:
        typer.echo(f"! {finding.title} (step {finding.step}). {finding.meaning} {finding.remedy}")
    typer.echo("\n".join(tail(run.paths, 15)))


@app.command()
def stop(
    run_id: RunId,
    now: Annotated[bool, typer.Option("--now", help="Without saving a checkpoint.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Ask a run to stop; it saves first. A waiting one is taken off the queue."""
    store = RunStore(look_at(workspace))
    run = find_run(store, run_id)
    run_id, before = run.run_id, run.status.state
    commands.stop(store, run_id, now)
    if not store.get(run_id).status.active:
        say(f"{run_id} " + ("is off the queue." if before == "queued" else f"is {before} already."))
        return
    say(f"{run_id} stops after the current step.")
    if now:
        _end_by_force(store, run_id)


def _end_by_force(store: RunStore, run_id: str) -> None:
    until = time.monotonic() + commands.STOP_GRACE + 2
    while store.get(run_id).status.active and time.monotonic() < until:
        time.sleep(0.5)
        commands.enforce_stop(store.get(run_id))


@app.command()
def save(run_id: RunId, workspace: WorkspaceOption = None) -> None:
    """Ask a running run for a checkpoint; it goes on."""
    store = RunStore(look_at(workspace))
    run = find_run(store, run_id)
    run_id, status = run.run_id, run.status
    if not status.active:
        raise ConflictError(
            f"Run {run_id} is {status.state}: there is nothing to save.",
            remedy="Only a run that is going on has steps that are not on disk.",
        )
    commands.save_now(store, run_id)
    say(f"{run_id} saves after the current step.")


@app.command()
def resume(
    run_id: RunId,
    step: Annotated[
        int | None,
        typer.Option("--step", help="Go back to the checkpoint of this step; later ones go."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Go on with a stopped or failed run, here in the foreground."""
    place = look_at(workspace)
    run = find_run(RunStore(place), run_id)
    _follow(start_now(run.config, place, run, step))


@app.command()
def use(
    run_id: RunId,
    step: Annotated[int, typer.Option("--step", help="Of a complete checkpoint.")],
    workspace: WorkspaceOption = None,
) -> None:
    """Let an ended run's weights be those of a checkpoint: to chat with, continue or release."""
    store = RunStore(look_at(workspace))
    run_id = find_run(store, run_id).run_id
    commands.use_checkpoint(store, run_id, step)
    say(f"The weights of {run_id} are those of step {step}.")


@app.command()
def push(
    run_id: RunId,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="USER/NAME", help="Instead of the run's push_to_hub."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Push an ended run's weights to a private repository on the hub; again after a failure."""
    store = RunStore(look_at(workspace))
    run_id = find_run(store, run_id).run_id
    address = commands.push(store, run_id, to)
    say(f"The weights of {run_id} are at {address}")


@app.command()
def extend(
    run_id: RunId,
    epochs: Annotated[float | None, typer.Option(help="Epochs in all.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="Steps in all.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Let a run that ended train for longer; a running studio takes it from the queue."""
    if (epochs is None) == (max_steps is None):
        raise InputError("How long?", remedy="Give --epochs or --max-steps.")
    store = RunStore(look_at(workspace))
    run_id = find_run(store, run_id).run_id
    say(commands.extend(store, run_id, epochs, max_steps))
    say(f"{run_id} waits in the queue of this workspace.")


@app.command("queue")
def queue_(
    pause: Annotated[bool, typer.Option("--pause", help="Start no waiting run.")] = False,
    go: Annotated[bool, typer.Option("--go", help="Start waiting runs again.")] = False,
    first: Annotated[
        str | None, typer.Option("--first", metavar="RUN", help="Let this run be the next.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """The waiting runs in order; pause the queue, or let a run go first."""
    if pause and go:
        raise InputError("Pause or go on?", remedy="Give --pause or --go, not both.")
    changes = pause or go or first
    store = RunStore(locate(workspace) if changes else look_at(workspace))
    if pause or go:
        queue.set_paused(store.workspace, pause)
    if first:
        queue.move(store, find_run(store, first).run_id, -len(store.list()))
    waiting = [run.run_id for run in queue.waiting(store.list())]
    paused = queue.is_paused(store.workspace)
    if json:
        print_json({"paused": paused, "waiting": waiting})
        return
    say("The queue is paused." if paused else f"{len(waiting)} waiting.")
    for run_id in waiting:
        typer.echo(run_id)


@app.command()
def script(
    run_id: RunId,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write script, notebook and rows into DIR."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """The run as one Python file that needs only transformers, trl, peft and datasets."""
    from studio.launch import training_script

    place = look_at(workspace)
    run = find_run(RunStore(place), run_id)
    if out is None:
        typer.echo(training_script.script(run, place))
        return
    for path in training_script.eject(run, place, out):
        typer.echo(str(path))


@app.command()
def slurm(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, or a run file to make one of.")],
    nodes: Annotated[int, typer.Option(min=1)] = 1,
    gpus: Annotated[int, typer.Option(min=1, help="On each machine.")] = 1,
    hours: Annotated[int, typer.Option(min=1)] = 24,
    partition: str = "",
    account: str = "",
    setup: Annotated[str, typer.Option(help="Shell line before training.")] = "",
    python: Annotated[str, typer.Option(help="Interpreter on the cluster.")] = sys.executable,
    cpus: Annotated[int, typer.Option(min=1, help="CPU cores for each GPU.")] = 8,
    workspace: WorkspaceOption = None,
) -> None:
    """The run as a batch script for SLURM: `… slurm RUN > run.sbatch; sbatch run.sbatch`."""
    from studio.launch.slurm import SlurmJob, made_for_slurm, slurm_script

    file = Path(run)
    if file.is_file():
        found = made_for_slurm(run_file.load(file), locate(workspace))
        say(f"Run {found.run_id}")
    else:
        found = find_run(RunStore(look_at(workspace)), run)
    job = SlurmJob(nodes, gpus, hours, partition, account, setup, python, cpus)
    typer.echo(slurm_script(found, job), nl=False)


app.command()(decisions.decide)
app.command("decisions")(decisions.decisions)
app.command()(decisions.lineage)


def _follow(run: Run) -> None:
    status = follow(run)
    measure(run)
    raise typer.Exit(0 if status.state == "finished" else 130 if status.state == "stopped" else 1)


def summary(run: Run) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "run_id": run.run_id,
        **_about(run),
        "adapter": str(run.paths.adapter) if run.has_adapter else None,
        "evaluation": asdict(measured) if (measured := held_out_result.read(run.paths)) else None,
        **asdict(run.status),
    }


def _about(run: Run) -> dict[str, str | None]:
    """Return what its run file says; nulls and the `problem` where that cannot be read."""
    try:
        config = run.config
    except InputError as error:
        log_told(error)
        return {**dict.fromkeys(("name", "method", "model", "data")), "problem": str(error)}
    return {
        "name": config.name,
        "method": config.method,
        "model": config.model.id,
        "data": config.data.source,
    }
