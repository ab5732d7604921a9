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
from studio.core.errors import ConfigError
from studio.core.plurals import counted
from studio.runs.run_plan import GIB, MemoryPlan, Plan


def plan(
    run_file: RunFile,
    set_: Overrides = None,
    dry_step: Annotated[
        bool,
        typer.Option("--dry-step", help="Run one step on the largest batch and measure it."),
    ] = False,
    find_batch: Annotated[
        bool,
        typer.Option("--find-batch", help="Find the most rows at once that there is room for."),
    ] = False,
    device_memory: Annotated[
        str | None,
        typer.Option(
            "--device-memory",
            "--gpu-gb",
            metavar="8GB",
            help="Plan for a GPU with that much memory, not for this machine.",
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Show what a run would do: memory, time, and what is trained."""
    from studio.launch.run_preparation import prepare
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    from studio.training.planning.batch_finder import NOT_HERE, find_batch_size
    from studio.training.planning.device_memory import Target
    from studio.training.planning.dry_step import calibrated, measure
    from studio.training.planning.preflight_plan import plan_run

    place = locate(workspace)
    target = Target.parsed(device_memory) if device_memory else None
    if dry_step and target:
        raise ConfigError([NOT_HERE])
    config = prepare(read_config(run_file, set_), place)
    batch = find_batch_size(config, place, target, confirm=dry_step) if find_batch else None
    if batch:
        smaller = config.batch.model_copy(update={"per_device": batch.per_device})
        config = config.model_copy(update={"batch": smaller})
    found, _ = plan_run(config, place, target)
    if dry_step and not find_batch:
        say("Running one step on the largest batch …")
        found = calibrated(found, measure(config, place))
    if json:
        print_json(found.to_json() | ({"find_batch": batch.to_json()} if batch else {}))
    else:
        typer.echo("\n".join([*([batch.sentence] if batch else []), describe(found)]))
    return 0


def describe(found: Plan) -> str:
    """Return the plan in a few lines."""
    share = found.trainable_parameters / max(1, found.total_parameters)
    lines = [
        f"trains {found.trainable_parameters:,} of {found.total_parameters:,} parameters "
        f"({share:.2%}) on {found.device} in {found.precision}",
        *(
            f"  {tower.name:<10} {tower.matched:>4} adapted modules, {tower.trainable:>12,} of "
            f"{tower.total:,}"
            for tower in found.towers
        ),
        f"{counted(found.train_rows)}, {counted(found.steps, 'step')} of {found.effective_batch} "
        f"(accumulation {found.accumulation}), {found.tokens_median:,} tokens a row "
        f"(at most {found.tokens_max:,})",
        *([found.scored] if found.scored else []),
        *_memory(found),
        *_time(found),
        *([found.fast_path] if found.fast_path else []),
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
    source = "planned"
    if found.peak_measured and found.total_planned:
        source = f"measured; planned {found.total_planned / GIB:.2f}"
    of = f" of {found.device_memory / GIB:.1f}" if found.device_memory else ""
    return [f"memory {memory.total / GIB:.2f}{of} GiB, {source} ({parts})"]


def _time(found: Plan) -> list[str]:
    if found.seconds_per_step is None:
        return []
    minutes = found.seconds_per_step * found.steps / 60
    return [f"{found.seconds_per_step:.2f} s a step, about {minutes:.0f} minutes in all"]
