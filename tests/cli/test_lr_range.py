"""The range test on the command line: its curve as bars, and the rate it suggests."""

from __future__ import annotations

from studio.cli.lr_range import WIDTH, describe
from studio.runs.lr_range_result import Point, RangeResult


def points(*losses: float) -> list[Point]:
    return [Point(step, 10.0**step * 1e-6, loss, loss) for step, loss in enumerate(losses)]


def test_bars_are_as_long_as_losses_are_high():
    first, second, said = describe(
        RangeResult(points(4.0, 1.0), True, None, None, None)
    ).splitlines()
    assert first.count("▇") == WIDTH and second.count("▇") == WIDTH // 4
    assert first.startswith(" 1.00e-06     4.0000")
    assert said.startswith("Too few steps before the loss exploded")


def test_the_suggestion_says_which_of_two_rules_it_follows():
    said = describe(RangeResult(points(2.0), False, 3e-4, 1e-3, 3e-4)).splitlines()[-1]
    assert said.startswith("suggested learning rate ") and "steepest fall" in said
    alone = describe(RangeResult(points(2.0), False, None, 1e-3, 1e-3)).splitlines()[-1]
    assert "steepest" not in alone and "a tenth of the rate" in alone
