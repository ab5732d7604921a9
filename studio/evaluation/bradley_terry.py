"""More than two contestants: their strengths by the model of Bradley and Terry (1952).

P(i beats j) = 1 / (1 + exp(θ_j − θ_i)). A tie is half a win for each. The strengths have a normal
prior around 0, so that one that never lost has a large strength and no infinite one, and those who
never met can be compared. Intervals come from votes drawn anew by rows, each time with the prior
around a drawn point, so that an unbeaten contestant is uncertain too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from studio.evaluation.intervals import Figure, bootstrap, cluster_numbers, cluster_sums
from studio.evaluation.win_rate import Vote

PRIOR_SPREAD = 1.5
"""Standard deviation of a strength before any vote; two of them then differ by 2.1, or 9 to 1."""

RESAMPLES = 1000
_STEPS = 50
_LONGEST_STEP = 1.0


@dataclass(frozen=True)
class Contestant:
    """One contestant's place.

    Attributes:
        strength: θ, with the mean of all contestants at 0; `rows` are the votes it had.
        win_rate: How often it wins against the others on average, by the model.
        best: Share of the resamples in which it is the strongest.
    """

    name: str
    strength: Figure
    win_rate: Figure
    best: float


def bradley_terry(
    votes: Iterable[Vote], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Contestant]:
    """Rank the contestants of the votes, the strongest first."""
    given = list(votes)
    names = sorted({name for vote in given for name in vote.contestants})
    if not names:
        return []
    count = len(names)
    wins = _wins(given, names)
    rows = cluster_numbers([vote.row for vote in given])
    drawn = bootstrap(
        cluster_sums(wins.reshape(len(given), -1), rows),
        lambda sums: sums,
        resamples=resamples,
        seed=seed,
    )
    centres = np.random.default_rng(seed + 1).normal(0, PRIOR_SPREAD, (resamples, count))
    total = wins.sum(axis=0)
    value = strengths(total[None])[0]
    draws = strengths(drawn.reshape(resamples, count, count), centres)
    had = (total + total.T).sum(axis=1)
    best = np.bincount(draws.argmax(axis=1), minlength=count) / resamples
    rates, rate_draws = _win_rates(value[None])[0], _win_rates(draws)
    value, draws = _centred(value[None])[0], _centred(draws)
    ranked = [
        Contestant(
            name,
            _figure(value[place], draws[:, place], int(had[place])),
            _figure(rates[place], rate_draws[:, place], int(had[place])),
            float(best[place]),
        )
        for place, name in enumerate(names)
    ]
    return sorted(ranked, key=lambda one: (-(one.strength.value or 0.0), one.name))


def strengths(wins: np.ndarray, centres: np.ndarray | None = None) -> np.ndarray:
    """Return the most likely strengths (…, contestants) by Newton's method.

    Args:
        wins: (…, i, j): how often i won against j; ties as halves.
        centres: Middle of each strength's prior; 0 by default.
    """
    played = wins + wins.swapaxes(-1, -2)
    won = wins.sum(axis=-1)
    count = wins.shape[-1]
    middle = np.zeros(wins.shape[:-1]) if centres is None else centres
    theta = middle.copy()
    weight = 1 / PRIOR_SPREAD**2
    for _ in range(_STEPS):
        chance = _chances(theta)
        slope = won - (played * chance).sum(axis=-1) - weight * (theta - middle)
        bend = played * chance * (1 - chance)
        curvature = -bend + (bend.sum(axis=-1) + weight)[..., None] * np.eye(count)
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        longest = np.abs(step).max(axis=-1, keepdims=True)
        theta = theta + step * np.minimum(1, _LONGEST_STEP / np.maximum(longest, 1e-12))
        if longest.max() < 1e-10:
            break
    return theta


def _wins(votes: Sequence[Vote], names: Sequence[str]) -> np.ndarray:
    """(votes × i × j): 1 where i won against j, ½ each way for a tie."""
    places = {name: place for place, name in enumerate(names)}
    wins = np.zeros((len(votes), len(names), len(names)))
    for number, vote in enumerate(votes):
        one, two = (places[name] for name in vote.contestants)
        share = 0.5 if vote.winner is None else float(vote.winner == vote.contestants[0])
        wins[number, one, two] += share
        wins[number, two, one] += 1 - share
    return wins


def _chances(theta: np.ndarray) -> np.ndarray:
    """(…, i, j): the chance that i beats j."""
    return 1 / (1 + np.exp(theta[..., None, :] - theta[..., :, None]))


def _win_rates(theta: np.ndarray) -> np.ndarray:
    """The mean chance of each to beat another."""
    count = theta.shape[-1]
    return (_chances(theta).sum(axis=-1) - 0.5) / max(count - 1, 1)


def _centred(theta: np.ndarray) -> np.ndarray:
    return theta - theta.mean(axis=-1, keepdims=True)


def _figure(value: float, draws: np.ndarray, votes: int) -> Figure:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Figure(
        float(value), min(float(low), float(value)), max(float(high), float(value)), votes
    )
