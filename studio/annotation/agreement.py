"""Agreement between people: Krippendorff's α, Cohen's κ, percent agreement.

α is that of Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), by the package
`krippendorff`; κ that of Cohen (1960), by scikit-learn. Only pairs answered by two people or
more say anything.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from studio.annotation.figures import Figure, share, undefined

if TYPE_CHECKING:
    import numpy as np

Level = Literal["nominal", "ordinal"]
Rating = tuple[Hashable, Hashable, int]
RESAMPLES = 1000
ALONE = "No pair has answers of two people yet; ask more than one person per pair."
SAME = "Everybody always gave the same answer, so agreement beyond chance cannot be told."


def alpha(
    ratings: Iterable[Rating], level: Level, *, resamples: int = RESAMPLES, seed: int = 0
) -> Figure:
    """Krippendorff's α with a 95 % bootstrap interval over units (percentiles).

    Args:
        ratings: (unit, rater, value); values are ordered by size for `ordinal`.
        resamples: Bootstrap samples; 0 for no interval.
    """
    import krippendorff

    counts = _value_counts(ratings)
    if not len(counts):
        return undefined(ALONE)
    if (counts.sum(axis=0) > 0).sum() < 2:
        return undefined(SAME, len(counts))
    value = float(krippendorff.alpha(value_counts=counts, level_of_measurement=level))
    low, high = _interval(counts, level, resamples, seed) if resamples else (None, None)
    return Figure(value, low, high, len(counts))


def percent_agreement(ratings: Iterable[Rating]) -> Figure:
    """Share of all comparisons of two people on one pair that are equal (no chance correction)."""
    counts = _value_counts(ratings)
    if not len(counts):
        return undefined(ALONE)
    people = counts.sum(axis=1)
    same = (counts * (counts - 1)).sum() / 2
    compared = (people * (people - 1)).sum() / 2
    return Figure(float(same / compared), count=int(compared))


def kappa(one: Sequence[int], two: Sequence[int]) -> Figure:
    """Cohen's κ of two people over the same pairs, in the same order."""
    if not len(one):
        return undefined("These two have no pair in common.")
    if len({*one, *two}) < 2:
        return undefined(SAME, len(one))
    from sklearn.metrics import cohen_kappa_score

    return Figure(float(cohen_kappa_score(one, two)), count=len(one))


def kappas(ratings: Iterable[Rating]) -> dict[tuple[Hashable, Hashable], Figure]:
    """κ of every two people with a pair in common."""
    units: dict[Hashable, dict[Hashable, int]] = defaultdict(dict)
    for unit, rater, value in ratings:
        units[unit][rater] = value
    common: dict[tuple, list[tuple[int, int]]] = defaultdict(list)
    for answers in units.values():
        for one, two in combinations(sorted(answers, key=str), 2):
            common[one, two].append((answers[one], answers[two]))
    return {
        people: kappa([first for first, _ in both], [second for _, second in both])
        for people, both in sorted(common.items(), key=lambda pair: str(pair[0]))
    }


def gold_accuracy(right: int, answered: int) -> Figure:
    """Share of gold pairs answered rightly."""
    return share(right, answered, "No gold pair has been answered yet.")


def self_consistency(same: int, repeated: int) -> Figure:
    """Share of second showings answered like the first."""
    return share(same, repeated, "No pair has been shown a second time yet.")


def _value_counts(ratings: Iterable[Rating]) -> np.ndarray:
    """(units × values) number of people who gave a value; units with one person left out."""
    import numpy as np

    units: dict[Hashable, Counter[int]] = defaultdict(Counter)
    for unit, _rater, value in ratings:
        units[unit][value] += 1
    paired = [counts for counts in units.values() if counts.total() > 1]
    values = sorted({value for counts in paired for value in counts})
    return np.array([[counts[value] for value in values] for counts in paired], dtype=int)


def _interval(counts: np.ndarray, level: Level, resamples: int, seed: int) -> tuple:
    """Percentiles of α over bootstrap samples of the units; units alike are drawn together."""
    import numpy as np

    patterns, numbers = np.unique(counts, axis=0, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(
        numbers.sum(), numbers / numbers.sum(), size=resamples
    )
    coincidences = np.einsum("bp,pcd->bcd", draws, _coincidences(patterns))
    alphas = _alphas(coincidences, level)
    alphas = alphas[~np.isnan(alphas)]
    if not len(alphas):
        return None, None
    low, high = np.percentile(alphas, (2.5, 97.5))
    return float(low), float(high)


def _coincidences(counts: np.ndarray) -> np.ndarray:
    """(units × values × values) coincidences of each unit; Krippendorff 2011, section B.2."""
    import numpy as np

    people = counts.sum(axis=1)[:, None, None]
    both = counts[:, :, None] * counts[:, None, :]
    diagonal = np.einsum("uc,cd->ucd", counts, np.eye(counts.shape[1], dtype=int))
    return (both - diagonal) / (people - 1)


def _alphas(coincidences: np.ndarray, level: Level) -> np.ndarray:
    """α of each coincidence matrix in a stack; NaN where only one value was drawn."""
    import numpy as np

    totals = coincidences.sum(axis=2)
    distance = _distances(totals, level)
    observed = (coincidences * distance).sum(axis=(1, 2))
    pairs = totals[:, :, None] * totals[:, None, :]
    expected = (pairs * distance).sum(axis=(1, 2)) / (totals.sum(axis=1) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def _distances(totals: np.ndarray, level: Level) -> np.ndarray:
    import numpy as np

    if level == "nominal":
        return 1.0 - np.eye(totals.shape[1])
    reached = totals.cumsum(axis=1) - totals / 2
    return (reached[:, :, None] - reached[:, None, :]) ** 2
