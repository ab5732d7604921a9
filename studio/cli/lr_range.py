"""The learning-rate range test on the command line."""

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
from studio.runs.lr_range_result import Point, RangeResult, RateSpan

WIDTH = 40


def lr_range(
    run_file: RunFile,
    set_: Overrides = None,
    low: Annotated[
        float, typer.Option("--from", metavar="RATE", help="Lowest rate.")
    ] = RateSpan.low,
    high: Annotated[
        float, typer.Option("--to", metavar="RATE", help="Highest rate.")
    ] = RateSpan.high,
    steps: Annotated[int, typer.Option("--steps", help="Optimizer steps in all.")] = RateSpan.steps,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Find a learning rate: train a few steps with growing rates, until the loss explodes."""
    from studio.launch.run_preparation import prepare
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    from studio.training.lr_range_test import range_test

    place = locate(workspace)
    config = prepare(read_config(run_file, set_), place)
    found = range_test(config, place, RateSpan(low, high, steps), report=_tell)
    if json:
        print_json(found.to_json())
    else:
        typer.echo(describe(found))
    return 0


def describe(found: RangeResult) -> str:
    """Return the curve as bars, and the suggestion with where it comes from."""
    highest = max((point.smooth for point in found.points), default=1.0)
    bars = [
        f"{point.rate:9.2e} {point.smooth:10.4f} {'▇' * round(WIDTH * point.smooth / highest)}"
        for point in found.points
    ]
    return "\n".join([*bars, _suggestion(found)])


def _suggestion(found: RangeResult) -> str:
    if found.suggested is None:
        return "Too few steps before the loss exploded: start from a lower rate."
    parts = [f"a tenth of the rate at the lowest loss {found.tenth:.1e}"]
    if found.steepest is not None:
        parts.insert(0, f"steepest fall {found.steepest:.1e}")
    return f"suggested learning rate {found.suggested:.1e} (the smaller of: {', '.join(parts)})"


def _tell(point: Point) -> None:
    say(f"step {point.step + 1}: rate {point.rate:.2e}, loss {point.loss:.4f}")
