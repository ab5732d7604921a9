"""Planning: what a run would do, without training."""

from __future__ import annotations

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
from studio.runs.plan import MemoryPlan, Plan

GIB = 2**30


def plan(
    run_file: RunFile,
    set_: Overrides = None,
    dry_step: Annotated[
        bool,
        typer.Option("--dry-step", help="Run one step on the largest batch and measure it."),
    ] = False,
    gpu_gb: Annotated[
        float | None,
        typer.Option("--gpu-gb", metavar="N", help="Plan for a GPU with N GB, not this machine."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Show what a run would do: memory, time, and what is trained."""
    from studio.models.quiet import quiet_libraries
    from studio.services.frozen import with_frozen_data

    quiet_libraries()
    from studio.train.memory.devices import Target
    from studio.train.memory.measure import calibrated, measure
    from studio.train.plan import plan_run

    place = locate(workspace)
    config = with_frozen_data(read_config(run_file, set_), place)
    found, _ = plan_run(config, place, Target.gpu(gpu_gb) if gpu_gb else None)
    if dry_step:
        say("Running one step on the largest batch …")
        found = calibrated(found, measure(config, place))
    if json:
        print_json(found.to_json())
    else:
        typer.echo(describe(found))
    return 0


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
        *_memory(found),
        *_time(found),
        *(f"left out: {reason}" for reason in found.skipped),
        *(f"note: {warning}" for warning in found.warnings),
        *(f"instead: {item.title} ({item.effect})" for item in found.suggestions),
    ]
    return "\n".join(lines)


def _memory(found: Plan) -> list[str]:
    memory: MemoryPlan | None = found.memory
    if memory is None:
        return []
    parts = ", ".join(f"{name} {size / GIB:.2f}" for name, size in memory.parts().items() if size)
    source = "measured" if found.peak_measured else "planned"
    return [
        f"memory {memory.total / GIB:.2f} of {found.device_memory / GIB:.1f} GiB, {source} "
        f"({parts})"
    ]


def _time(found: Plan) -> list[str]:
    if found.seconds_per_step is None:
        return []
    minutes = found.seconds_per_step * found.steps / 60
    return [f"{found.seconds_per_step:.2f} s a step, about {minutes:.0f} minutes in all"]
