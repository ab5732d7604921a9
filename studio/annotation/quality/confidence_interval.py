"""A measured figure with its interval, or the plain words for why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasuredFigure:
    """One figure.

    Attributes:
        value: None when it is undefined; `why` says why then.
        low, high: Ends of the 95 % interval, when there is one.
        count: What it rests on: pairs, answers or comparisons.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    why: str = ""


def undefined(why: str, count: int = 0) -> MeasuredFigure:
    """Make a figure without a value that says why."""
    return MeasuredFigure(why=why, count=count)


def share(successes: int, count: int, why: str) -> MeasuredFigure:
    """Compute a share with Wilson's interval (Wilson 1927); undefined, saying `why`, for none."""
    if not count:
        return undefined(why)
    from scipy.stats import binomtest

    interval = binomtest(successes, count).proportion_ci(0.95, method="wilson")
    return MeasuredFigure(successes / count, float(interval.low), float(interval.high), count)
