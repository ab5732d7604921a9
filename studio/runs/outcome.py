"""What came of a run, in a few numbers: where each measure began, where it ended, its best."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from studio.config.schedule import ANSWER_METRICS
from studio.metrics import METRICS
from studio.runs.curve_thinning import Points
from studio.runs.curves import Diary

WINDOW = 10


@dataclass(frozen=True)
class Measure:
    """One number to follow; `lower` says whether lower is better, None where neither is."""

    metric: str
    title: str
    lower: bool | None = None
    percent: bool = False


@dataclass(frozen=True)
class Result:
    """How a measure went.

    Attributes:
        before, after: Means over the first and the last ten recorded points, or a third of fewer;
            the first and the last value of an evaluation.
        best, best_step: Of an evaluation that was not best at its end; None for others.
    """

    measure: Measure
    before: float
    after: float
    best: float | None = None
    best_step: int | None = None


MEASURES = (
    Measure("loss", "Loss"),
    Measure("eval_loss", "Evaluation loss", lower=True),
    Measure("rewards/accuracies", "Reward accuracy", percent=True),
    Measure("eval_rewards/accuracies", "Evaluation accuracy", lower=False, percent=True),
    Measure("eval_mean_token_accuracy", "Evaluation token accuracy", lower=False, percent=True),
    *(
        Measure(f"eval_{name}", METRICS[name].label, lower=False, percent=METRICS[name].percent)
        for name in ANSWER_METRICS
    ),
    Measure("answer_tokens", "Answer length, tokens"),
)


def results(diary: Diary) -> list[Result]:
    """Return every measure of the run with two points or more."""
    found = ((measure, diary.series.get(measure.metric, [])) for measure in MEASURES)
    return [_result(measure, points) for measure, points in found if len(points) > 1]


def _result(measure: Measure, points: Points) -> Result:
    if measure.lower is None:
        values = [value for _, value in points]
        width = max(1, min(WINDOW, len(values) // 3))
        return Result(measure, fmean(values[:width]), fmean(values[-width:]))
    before, after = points[0][1], points[-1][1]
    sign = 1 if measure.lower else -1
    step, best = min(points, key=lambda point: sign * point[1])
    if best == after:
        return Result(measure, before, after)
    return Result(measure, before, after, best, step)
