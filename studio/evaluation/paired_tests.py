"""Two models on the same rows: the difference, its interval, a p-value and a verdict.

The interval is a paired bootstrap over images. The p-value is that of the sign-flip or randomisation
test over images: under the null hypothesis the two models' answers to an image may be exchanged. For
a share with one row per image that is McNemar's test. For other figures it takes the place of the
bootstrap's p, which calls three rows that happen to agree significant (Riezler and Maxwell 2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from studio.core.errors import InputError
from studio.evaluation.intervals import (
    LEVEL,
    RESAMPLES,
    Combine,
    Figure,
    bootstrap,
    cluster_sums,
    combined_figure,
    percentile_interval,
    share_figure,
    wilson,
)
from studio.metrics.metric import RowScores

Verdict = Literal["better", "worse", "higher", "lower", "cannot tell"]

EXACT_BELOW = 26
"""Images that differ, below which McNemar's p is the exact one; from there on the mid-p."""

POWER = 0.8
LEAST_IMAGES = 6
"""Fewer images cannot be significant at 5 % whatever they show: 2 · ½⁵ > 0.05 ≥ 2 · ½⁶."""

FLIPS = 5000
_ALL_FLIPS_UP_TO = 12
_CHUNK = 1_000_000


@dataclass(frozen=True)
class PairedFigure:
    """The difference of one figure between two models on the same rows, the second minus the first.

    Attributes:
        difference: None where no row has a score of both.
        low, high: Ends of the 95 % interval; None where there is only one image.
        p: Two-sided; None without rows.
        verdict: What the difference means for the second model: `better` or `worse`, `higher` or
            `lower` where neither is better, `cannot tell` unless both the interval and p exclude
            no difference.
        rows: Rows with a score of both.
        rows_needed: How many such rows would show a difference of this size four times in five
            (power 80 %); None for no difference.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: Verdict
    rows: int
    rows_needed: int | None


def metric_figure(
    scores: RowScores, clusters: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> Figure:
    """Compute the figure of one metric with its interval over the rows to which it applies.

    Args:
        clusters: A number for each row, as of `image_clusters`.
    """
    counts, clusters = scores.counts[scores.applies], clusters[scores.applies]
    if scores.metric.aggregate == "share":
        return share_figure(counts[:, 0], clusters)
    combine = scores.metric.combine
    return combined_figure(counts, combine, clusters, resamples=resamples, seed=seed)


def paired_figure(
    first: RowScores,
    second: RowScores,
    clusters: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedFigure:
    """Compare the second model with the first on the rows to which the metric applies for both.

    Raises:
        InputError: The two are of different metrics or numbers of rows.
    """
    metric = second.metric
    if metric.name != first.metric.name or len(first.scores) != len(second.scores):
        raise InputError(
            f"Cannot compare {first.metric.label} of {len(first.scores)} rows with "
            f"{metric.label} of {len(second.scores)}.",
            remedy="Score both models on the same rows by the same metric.",
        )
    both = first.applies & second.applies
    rows = int(both.sum())
    if not rows:
        return PairedFigure(None, None, None, None, "cannot tell", 0, None)
    sums = [cluster_sums(scores.counts[both], clusters[both]) for scores in (first, second)]
    width = sums[0].shape[1]

    def difference(both_sums: np.ndarray) -> np.ndarray:
        return metric.combine(both_sums[..., width:]) - metric.combine(both_sums[..., :width])

    joined = np.concatenate(sums, axis=1)
    value = float(difference(joined.sum(axis=0)))
    share = metric.aggregate == "share"
    if share:
        p = mcnemar((sums[1] - sums[0])[:, 0])
    else:
        p = randomisation_p(sums[0], sums[1], metric.combine, seed=seed)
    images = len(joined)
    if images < 2:
        return PairedFigure(value, None, None, p, "cannot tell", rows, None)
    draws = bootstrap(joined, difference, resamples=resamples, seed=seed)
    low, high = percentile_interval(draws, images)
    if share and low == high:
        low, high = _newcombe(sums[0][:, 0].sum() / rows, value, images)
    needed = _rows_needed(value, float(draws.std()), rows, images)
    verdict = _verdict(low, high, p, metric.higher_is_better)
    return PairedFigure(value, low, high, p, verdict, rows, needed)


def mcnemar(differences: np.ndarray) -> float:
    """Compute the two-sided p-value that rows are as often fixed as broken.

    With one row per image this is McNemar's test (1947): exact binomial for few rows that differ,
    mid-p for many (Fagerland, Lydersen and Laake 2013). For several rows of an image, their fixed
    minus broken ones keep or change their sign together, and the distribution of the sum is
    computed exactly.

    Args:
        differences: For each image, rows fixed minus rows broken.
    """
    steps = np.abs(np.rint(differences)).astype(int)
    steps = steps[steps > 0]
    if not len(steps):
        return 1.0
    total = int(steps.sum())
    chances = np.zeros(2 * total + 1)
    chances[total] = 1.0
    reached = 0
    for step in steps:
        # Of sums between -reached and reached each goes up or down by the step.
        inner = chances[total - reached : total + reached + 1].copy() / 2
        reached += int(step)
        chances[total - reached : total + reached + 1] = 0
        chances[total - reached : total - reached + len(inner)] += inner
        chances[total + reached + 1 - len(inner) : total + reached + 1] += inner
    seen = abs(int(np.rint(differences.sum())))
    sums = np.abs(np.arange(-total, total + 1))
    at_least = float(chances[sums >= seen].sum())
    if len(steps) < EXACT_BELOW:
        return min(1.0, at_least)
    return min(1.0, at_least - float(chances[sums == seen].sum()) / 2)


def randomisation_p(
    first: np.ndarray, second: np.ndarray, combine: Combine, *, flips: int = FLIPS, seed: int = 0
) -> float:
    """Compute the two-sided p-value of the difference of two figures by approximate randomisation.

    The share of exchanges of whole images between the two models with a difference at least as
    large, all of them for few images, else (1 + extreme) / (1 + tried) (Noreen 1989).

    Args:
        first, second: Images × counts of each model.
    """
    seen = abs(float(combine(second.sum(axis=0)) - combine(first.sum(axis=0))))
    changes = second - first
    changes = changes[np.any(changes != 0, axis=1)]
    if not len(changes):
        return 1.0
    every = len(changes) <= _ALL_FLIPS_UP_TO
    tried = 2 ** len(changes) if every else flips
    rng = np.random.default_rng(seed)
    at_once = max(1, _CHUNK // len(changes))
    extreme = 0
    for start in range(0, tried, at_once):
        size = min(at_once, tried - start)
        if every:
            numbers = np.arange(start, start + size)
            exchanged = numbers[:, None] >> np.arange(len(changes)) & 1
        else:
            exchanged = rng.integers(0, 2, size=(size, len(changes)), dtype=np.int8)
        moved = exchanged.astype(float) @ changes
        reached = combine(second.sum(axis=0) - moved) - combine(first.sum(axis=0) + moved)
        extreme += int((np.abs(reached) >= seen - 1e-12).sum())
    return extreme / tried if every else (1 + extreme) / (1 + tried)


def _newcombe(first: float, difference: float, images: int) -> tuple[float, float]:
    """The interval of a difference of shares where every image shows the same one.

    All resamples are alike then. Newcombe's hybrid of two Wilson intervals (1998, method 10, with
    φ = 0), each over the images.
    """
    second = min(max(first + difference, 0.0), 1.0)
    low_one, high_one = wilson(first * images, images)
    low_two, high_two = wilson(second * images, images)
    low = difference - math.hypot(second - low_two, high_one - first)
    high = difference + math.hypot(high_two - second, first - low_one)
    return max(low, -1.0), min(high, 1.0)


def _rows_needed(difference: float, error: float, rows: int, images: int) -> int | None:
    """n ((z₁₋α/₂ + z_power) SE / δ)²: Miller 2024, section 5, solved for the number of rows."""
    from scipy.stats import norm

    if not difference:
        return None
    quantiles = norm.ppf((1 + LEVEL) / 2) + norm.ppf(POWER)
    least = LEAST_IMAGES * rows / images
    # Rounding errors of the mean would turn a spread of zero into one.
    needed = rows * (quantiles * error / difference) ** 2 if error > 1e-12 else 0.0
    return math.ceil(round(max(needed, least), 6))


def _verdict(low: float, high: float, p: float, higher_is_better: bool | None) -> Verdict:
    if p >= 1 - LEVEL or low <= 0 <= high:
        return "cannot tell"
    if higher_is_better is None:
        return "higher" if low > 0 else "lower"
    return "better" if (low > 0) == higher_is_better else "worse"
