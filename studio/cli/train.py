"""Planning, training in the foreground, and queueing for a running studio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say
from studio.config import RunConfig, files
from studio.runs.plan import Plan

RunFile = Annotated[Path, typer.Argument(metavar="RUN.yaml", help="The run file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, for example batch.total=8."),
]


def plan(
    run_file: RunFile,
    set_: Overrides = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Show what a run would do, without training."""
    from studio.models.quiet import quiet_libraries

    quiet_libraries()
    from studio.train.plan import plan_run

    found, _ = plan_run(read_config(run_file, set_), locate(workspace))
    if json:
        print_json(found.to_json())
    else:
        typer.echo(describe(found))
    return 0


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
    from studio.models.quiet import quiet_libraries
    from studio.services.foreground import follow, resumable, start_now

    quiet_libraries()
    from studio.train.plan import plan_run

    config = read_config(run_file, set_)
    place = locate(workspace)
    if resume:
        run = resumable(config, place)
    else:
        found, _ = plan_run(config, place)
        say(describe(found))
        run = None
    run = start_now(config, place, run)
    say(f"Run {run.run_id}")
    status = follow(run, quiet=json)
    if json:
        print_json(
            {
                "run_id": run.run_id,
                "state": status.state,
                "steps": status.step,
                "seconds": status.training_seconds,
                "message": status.message,
            }
        )
    return 0 if status.state == "finished" else 130 if status.state == "stopped" else 1


def submit(run_file: RunFile, set_: Overrides = None, workspace: WorkspaceOption = None) -> int:
    """Put a run into the queue of the workspace; a running studio takes it from there."""
    from studio.services.supervisor import Supervisor

    run_id = Supervisor(locate(workspace)).submit(read_config(run_file, set_))
    typer.echo(run_id)
    return 0


def read_config(run_file: Path, assignments: list[str] | None) -> RunConfig:
    """The run file with the `--set` assignments applied."""
    return files.parse(files.override(files.load_values(run_file), assignments or []))


def describe(found: Plan) -> str:
    """The plan in a few lines."""
    share = found.trainable_parameters / max(1, found.total_parameters)
    lines = [
        f"trains {found.trainable_parameters:,} of {found.total_parameters:,} parameters "
        f"({share:.2%}) on {found.device} in {found.dtype}",
        *(
            f"  {tower.name:<10} {tower.matched:>4} adapted modules, {tower.trainable:>12,} of "
            f"{tower.total:,}"
            for tower in found.towers
        ),
        f"{found.train_rows:,} rows, {found.steps:,} steps of {found.effective_batch} "
        f"(accumulation {found.accumulation}), {found.tokens_median:,} tokens a row "
        f"(at most {found.tokens_max:,})",
        *(f"left out: {reason}" for reason in found.skipped),
        *(f"note: {warning}" for warning in found.warnings),
    ]
    return "\n".join(lines)
