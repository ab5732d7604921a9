"""What a learning-rate range test found, and the rate that follows from it; no torch here.

The rate grows exponentially from step to step (Smith 2017, "Cyclical learning rates for training
neural networks", section 3.3). Two rules read a rate off the smoothed losses, and the smaller one
is suggested: where the loss falls steepest over log(rate), and a tenth of the rate at the lowest
loss (both after fastai's finder, Howard & Gugger 2020). Losses are smoothed as an exponential
moving average corrected for its start (Kingma & Ba 2015, section 3). The test stops when the
smoothed loss is more than four times its minimum, or no number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio.core.errors import ConfigError, FieldProblem

SMOOTHING = 0.8
DIVERGED = 4.0
FEWEST = 5
FEWEST_STEPS = 10
SKIPPED = 0.1
"""Share of the first steps that no rule looks at: their average is not settled."""


@dataclass(frozen=True)
class RateSpan:
    """Rates from `low` to `high` in `steps` steps."""

    low: float = 1e-6
    high: float = 1e-1
    steps: int = 50

    def rate(self, step: int) -> float:
        """Return the rate of step 0 … steps - 1: exponential between both ends."""
        share = step / max(1, self.steps - 1)
        return self.low * (self.high / self.low) ** share


def ensure_span(span: RateSpan) -> None:
    """Refuse rates that do not grow, or too few steps to read anything off them."""
    problems = []
    if not 0 < span.low < span.high <= 10:
        problems.append(
            FieldProblem(
                "optimizer.learning_rate",
                f"A range from {span.low:g} to {span.high:g} does not grow.",
                "Give a lowest rate above 0 and a larger highest one, at most 10.",
            )
        )
    if span.steps < FEWEST_STEPS:
        problems.append(
            FieldProblem(
                "schedule.max_steps",
                f"{span.steps} steps are too few for a range test.",
                f"Take {FEWEST_STEPS} or more; 50 to 100 give a smooth curve.",
            )
        )
    if problems:
        raise ConfigError(problems)


@dataclass(frozen=True)
class Point:
    """One step: its rate, its loss, and the smoothed loss."""

    step: int
    rate: float
    loss: float
    smooth: float


@dataclass(frozen=True)
class RangeResult:
    """A finished test.

    Attributes:
        points: One for each step that was taken.
        diverged: Whether it stopped because the loss exploded.
        steepest, tenth: The rates of the two rules; None when there are too few steps.
        suggested: The smaller of the two.
    """

    points: list[Point]
    diverged: bool
    steepest: float | None
    tenth: float | None
    suggested: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RangeResult:
        """Return the result of `to_json`."""
        points = [Point(**point) for point in values["points"]]
        return cls(**(values | {"points": points}))


class RangeLosses:
    """The losses of a test as they come in."""

    def __init__(self, span: RateSpan) -> None:
        self.span = span
        self.points: list[Point] = []
        self.diverged = False
        self._average = 0.0

    def add(self, loss: float) -> Point:
        """Take the loss of the next step; `diverged` says whether to go on."""
        step = len(self.points)
        self._average = SMOOTHING * self._average + (1 - SMOOTHING) * loss
        smooth = self._average / (1 - SMOOTHING ** (step + 1))
        point = Point(step, self.span.rate(step), loss, smooth)
        lowest = min((p.smooth for p in self.points), default=math.inf)
        self.diverged = not math.isfinite(loss) or (step > 0 and smooth > DIVERGED * abs(lowest))
        if math.isfinite(loss):
            self.points.append(point)
        return point

    def result(self) -> RangeResult:
        """Return what follows from the losses so far."""
        steepest, tenth = _steepest(self.points), _tenth_of_lowest(self.points)
        both = [rate for rate in (steepest, tenth) if rate is not None]
        return RangeResult(self.points, self.diverged, steepest, tenth, min(both, default=None))


def _steepest(points: Sequence[Point]) -> float | None:
    looked_at = points[int(len(points) * SKIPPED) :]
    if len(looked_at) < FEWEST:
        return None
    slopes = [
        (after.smooth - before.smooth) / math.log(after.rate / before.rate)
        for before, after in zip(looked_at, looked_at[2:], strict=False)
    ]
    best = min(range(len(slopes)), key=slopes.__getitem__)
    return looked_at[best + 1].rate if slopes[best] < 0 else None


def _tenth_of_lowest(points: Sequence[Point]) -> float | None:
    if len(points) < FEWEST:
        return None
    return min(points, key=lambda point: point.smooth).rate / 10
