"""Figures with 95 % intervals over rows that come in clusters: several questions about one image.

Rows of one image are not independent, so whole images are drawn (Miller 2024, "Adding Error Bars
to Evals", section 2.2). Every metric is a function of sums over rows: a share is right answers over
rows, an F1 counts of three kinds. A resample is then one product of two matrices.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from studio.data.schema import Row
from studio.metrics.metric import Combine

LEVEL = 0.95
RESAMPLES = 2000
_CHUNK = 1_000_000
"""Clusters drawn at once, over all resamples: bounds the memory."""


@dataclass(frozen=True)
class Figure:
    """One figure with its 95 % interval.

    Attributes:
        value: None for no rows.
        low, high: None where the rows cannot tell: none at all, or only one image for a mean.
        rows: Rows it rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    rows: int


def image_clusters(rows: Sequence[Row]) -> np.ndarray:
    """Return a number for each row, the same for rows that share an image, directly or by others.

    A row without an image is a cluster of its own.
    """
    parents = list(range(len(rows)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first_with: dict[str, int] = {}
    for place, row in enumerate(rows):
        for image in row.images:
            parents[root(place)] = root(first_with.setdefault(image, place))
    return cluster_numbers([root(place) for place in range(len(rows))])


def cluster_numbers(clusters: Sequence[Hashable] | np.ndarray) -> np.ndarray:
    """Return the clusters of rows as numbers 0, 1, … in the order of first sight."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=int)


def wilson(successes: float, count: float, level: float = LEVEL) -> tuple[float, float]:
    """Compute the score interval of a share (Wilson 1927; Brown, Cai, DasGupta 2001, equation 4).

    Counts may be fractions: those of an effective sample size.
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + level) / 2))
    share = float(successes / count)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == count else min(1.0, middle + half)
    return min(low, share), max(high, share)


def clustered_standard_error(scores: np.ndarray, clusters: np.ndarray) -> float:
    """Compute the standard error of a mean over clustered rows (Miller 2024, equation 4).

    SE² = s²/n + Σ_c Σ_i Σ_{j≠i} (s_ic − s̄)(s_jc − s̄) / n², as lmms-eval does; NaN below two rows.
    """
    count = len(scores)
    if count < 2:
        return math.nan
    off = scores - scores.mean()
    by_cluster = np.bincount(clusters, weights=off)
    crossed = (by_cluster**2).sum() - (off**2).sum()
    return math.sqrt(max(0.0, scores.var(ddof=1) / count + crossed / count**2))


def share_figure(scores: np.ndarray, clusters: np.ndarray) -> Figure:
    """Compute a share of rows with Wilson's interval.

    Where images have several rows, n is replaced by the effective sample size n / deff (Kish 1965,
    Korn and Graubard 1998), deff being how much wider clustering makes the interval; it never
    makes it narrower. With all rows right, or none, only the images are counted.
    """
    count = len(scores)
    if not count:
        return Figure(None, None, None, 0)
    share = float(scores.mean())
    effective = effective_rows(scores, clusters)
    return Figure(share, *wilson(share * effective, effective), count)


def effective_rows(scores: np.ndarray, clusters: np.ndarray) -> float:
    """Return how many independent rows would tell a share as exactly as these do."""
    count, images = len(scores), len(np.unique(clusters))
    variance = scores.var()
    if images == count or count < 2:
        return float(count)
    if not variance:
        return float(images)
    clustered = clustered_standard_error(scores, clusters) ** 2
    plain = scores.var(ddof=1) / count
    return float(count * plain / max(clustered, plain))


def combined_figure(
    counts: np.ndarray,
    combine: Combine,
    clusters: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Figure:
    """Compute a figure of summed counts (rows × counts) with a clustered bootstrap interval."""
    if not len(counts):
        return Figure(None, None, None, 0)
    value = float(combine(counts.sum(axis=0)))
    by_cluster = cluster_sums(counts, clusters)
    if len(by_cluster) < 2:
        return Figure(value, None, None, len(counts))
    draws = bootstrap(by_cluster, combine, resamples=resamples, seed=seed)
    return Figure(value, *percentile_interval(draws, len(by_cluster)), len(counts))


def cluster_sums(counts: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sum the counts of the rows (rows × counts) of each cluster."""
    _, places = np.unique(clusters, return_inverse=True)
    sums = np.zeros((places.max() + 1, counts.shape[1]))
    np.add.at(sums, places, counts)
    return sums


def bootstrap(
    sums: np.ndarray, combine: Combine, *, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Return a figure for each of many samples of the clusters, drawn with replacement.

    Args:
        sums: Clusters × counts.
        combine: Makes the figure of summed counts.
    """
    rng = np.random.default_rng(seed)
    clusters = len(sums)
    at_once = max(1, _CHUNK // clusters)
    drawn = []
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        places = rng.integers(clusters, size=(size, clusters))
        places += np.arange(size)[:, None] * clusters
        times = np.bincount(places.ravel(), minlength=size * clusters).reshape(size, clusters)
        drawn.append(times.astype(float) @ sums)
    return combine(np.concatenate(drawn))


def percentile_interval(draws: np.ndarray, clusters: int) -> tuple[float, float]:
    """Return the percentiles that hold 95 %, wider for few clusters.

    The plain percentiles are too narrow by √((n−1)/n) and by the difference of t and normal
    quantiles; the "expanded percentile interval" mends both (Hesterberg 2015, section 3.3).
    """
    from scipy.stats import norm, t

    if clusters > 1000:
        tail = (1 - LEVEL) / 2
    else:
        wide = math.sqrt(clusters / (clusters - 1)) * t.ppf((1 + LEVEL) / 2, clusters - 1)
        tail = float(norm.cdf(-wide))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
