"""Agreement between people: Krippendorff's α, Cohen's κ, percent agreement.

α is that of Krippendorff, Computing Krippendorff's Alpha-Reliability (2011); κ that of Cohen (1960),
by scikit-learn. Only pairs answered by two people or more say anything.

Values that say *which* of two candidates need an order of the two, and which is stored first is an
accident: imported preferences store the preferred one first. Good annotators would then all use one
category, chance agreement would be near one, and α near zero or below however much they agree. With
`exchange` each unit counts half as it is and half with the two exchanged: coincidences and marginals
are those expected of a random order, the number of values stays.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from studio.annotation.quality.confidence_interval import MeasuredFigure, share, undefined

if TYPE_CHECKING:
    import numpy as np

Level = Literal["nominal", "ordinal"]
Rating = tuple[Hashable, Hashable, int]
Exchange = Callable[[int], int]
"""What a value becomes when first and second candidate are exchanged; twice is as it was."""

RESAMPLES = 1000
ALONE = "No pair has answers of two people yet; ask more than one person per pair."
SAME = "Everybody always gave the same answer, so agreement beyond chance cannot be told."


def alpha(
    ratings: Iterable[Rating],
    level: Level,
    *,
    exchange: Exchange | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> MeasuredFigure:
    """Compute Krippendorff's α with a 95 % bootstrap interval over units (percentiles).

    Args:
        ratings: (unit, rater, value); values are ordered by size for `ordinal`.
        exchange: α does not depend on which candidate of a unit is the first then; see above.
        resamples: Bootstrap samples; 0 for no interval.
    """
    counts, mirror = _value_counts(ratings, exchange)
    if not len(counts):
        return undefined(ALONE)
    coincidences = _coincidences(counts, mirror)
    total = coincidences.sum(axis=0)
    if (total.sum(axis=1) > 0).sum() < 2:
        return undefined(SAME, len(counts))
    value = float(_alphas(total[None], level)[0])
    low, high = _interval(counts, mirror, level, resamples, seed) if resamples else (None, None)
    return MeasuredFigure(value, low, high, len(counts))


def percent_agreement(ratings: Iterable[Rating]) -> MeasuredFigure:
    """Compute the share of comparisons of two people that are equal (no chance correction)."""
    counts, _ = _value_counts(ratings)
    if not len(counts):
        return undefined(ALONE)
    people = counts.sum(axis=1)
    same = (counts * (counts - 1)).sum() / 2
    compared = (people * (people - 1)).sum() / 2
    return MeasuredFigure(float(same / compared), count=int(compared))


def kappa(
    one: Sequence[int], two: Sequence[int], exchange: Exchange | None = None
) -> MeasuredFigure:
    """Compute Cohen's κ of two people over the same pairs in the same order; `exchange` as for α."""
    count = len(one)
    if not count:
        return undefined("These two have no pair in common.")
    if exchange is not None:
        # κ is a function of shares, so that twice as many pairs weigh like half of each.
        one, two = ([*values, *map(exchange, values)] for values in (one, two))
    if len({*one, *two}) < 2:
        return undefined(SAME, count)
    from sklearn.metrics import cohen_kappa_score

    return MeasuredFigure(float(cohen_kappa_score(one, two)), count=count)


def measured_kappa(
    one: Sequence[int],
    two: Sequence[int],
    exchange: Exchange | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> MeasuredFigure:
    """Compute Cohen's κ of two over the same pairs with a 95 % bootstrap interval over the pairs."""
    found = kappa(one, two, exchange)
    if found.value is None or not resamples:
        return found
    import numpy as np

    exchanged = exchange or int
    given = {*one, *two}
    values = sorted(given | {exchanged(value) for value in given})
    mirror = [values.index(exchanged(value)) for value in values]
    table = np.zeros((len(values), len(values)))
    for first, second in zip(one, two, strict=True):
        table[values.index(first), values.index(second)] += 1
    draws = np.random.default_rng(seed).multinomial(
        len(one), table.ravel() / len(one), size=resamples
    )
    tables = draws.reshape(-1, *table.shape) / len(one)
    tables = (tables + tables[:, mirror][:, :, mirror]) / 2
    observed = np.trace(tables, axis1=1, axis2=2)
    expected = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1)
    told = expected < 1
    if not told.any():
        return found
    spread = (observed[told] - expected[told]) / (1 - expected[told])
    low, high = np.percentile(spread, (2.5, 97.5))
    return MeasuredFigure(found.value, float(low), float(high), found.count)


def kappas(
    ratings: Iterable[Rating], exchange: Exchange | None = None
) -> dict[tuple[Hashable, Hashable], MeasuredFigure]:
    """Compute κ of every two people with a pair in common."""
    units: dict[Hashable, dict[Hashable, int]] = defaultdict(dict)
    for unit, rater, value in ratings:
        units[unit][rater] = value
    common: dict[tuple, list[tuple[int, int]]] = defaultdict(list)
    for answers in units.values():
        for one, two in combinations(sorted(answers, key=str), 2):
            common[one, two].append((answers[one], answers[two]))
    return {
        people: kappa([first for first, _ in both], [second for _, second in both], exchange)
        for people, both in sorted(common.items(), key=lambda pair: str(pair[0]))
    }


def gold_accuracy(right: int, answered: int) -> MeasuredFigure:
    """Compute the share of gold pairs answered rightly."""
    return share(right, answered, "No gold pair has been answered yet.")


def self_consistency(same: int, repeated: int) -> MeasuredFigure:
    """Compute the share of second showings answered like the first."""
    return share(same, repeated, "No pair has been shown a second time yet.")


def _value_counts(
    ratings: Iterable[Rating], exchange: Exchange | None = None
) -> tuple[np.ndarray, list[int]]:
    """(units × values) number of people who gave a value, units with one person left out; and
    for each value the place of the one it becomes by `exchange`.

    With `exchange`, a unit and its exchanged form give the same row, so that the bootstrap draws
    the same samples whichever is stored.
    """
    import numpy as np

    exchanged = exchange or int
    units: dict[Hashable, Counter[int]] = defaultdict(Counter)
    for unit, _rater, value in ratings:
        units[unit][value] += 1
    paired = [counts for counts in units.values() if counts.total() > 1]
    given = {value for counts in paired for value in counts}
    values = sorted(given | {exchanged(value) for value in given})
    mirror = [values.index(exchanged(value)) for value in values]
    rows = [[counts[value] for value in values] for counts in paired]
    rows = [max(row, [row[place] for place in mirror]) for row in rows]
    return np.array(rows, dtype=int), mirror


def _interval(
    counts: np.ndarray, mirror: list[int], level: Level, resamples: int, seed: int
) -> tuple:
    """Percentiles of α over bootstrap samples of the units; units alike are drawn together."""
    import numpy as np

    patterns, numbers = np.unique(counts, axis=0, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(
        numbers.sum(), numbers / numbers.sum(), size=resamples
    )
    coincidences = np.einsum("bp,pcd->bcd", draws, _coincidences(patterns, mirror))
    alphas = _alphas(coincidences, level)
    alphas = alphas[~np.isnan(alphas)]
    if not len(alphas):
        return None, None
    low, high = np.percentile(alphas, (2.5, 97.5))
    return float(low), float(high)


def _coincidences(counts: np.ndarray, mirror: list[int]) -> np.ndarray:
    """(units × values × values) coincidences of each unit; Krippendorff 2011, section B.2.

    Half of them as they are and half exchanged; `mirror` as of `_value_counts`.
    """
    import numpy as np

    people = counts.sum(axis=1)[:, None, None]
    both = counts[:, :, None] * counts[:, None, :]
    diagonal = np.einsum("uc,cd->ucd", counts, np.eye(counts.shape[1], dtype=int))
    both_orders = (both - diagonal) / (people - 1)
    return (both_orders + both_orders[:, mirror][:, :, mirror]) / 2


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
