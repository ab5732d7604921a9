"""Confidence sequences: intervals for a mean in [0, 1] that hold at every look, all at once.

A bet on each observation: the capital of one who bets that the mean is not m,
K_n(m) = Π_i (1 + λ (x_i − m)), stays below 1/α for ever with probability 1 − α if m is the mean
(Ville 1939), and the sequence holds every m whose capital is below 1/α (Waudby-Smith and Ramdas
2024, "Estimating means of bounded random variables by betting", section 4). Writing
λ = (p − m) / (m (1 − m)), one factor is x p/m + (1 − x)(1 − p)/(1 − m): for votes of 0 or 1 the
likelihood ratio of p against m. The capital is spread over a grid of p (the method of mixtures,
Robbins 1970), so that nothing depends on the order of the votes; for 0 and 1 this is the
beta-binomial mixture of Howard et al. 2021, and for ties (½) it is sharper than that.
"""

from __future__ import annotations

from functools import cache

import numpy as np

ALPHA = 0.05
_GRID = 399
_BISECTIONS = 40

_Mixture = tuple[np.ndarray, np.ndarray]


def log_capital(values: np.ndarray, counts: np.ndarray, mean: float | np.ndarray) -> np.ndarray:
    """Return log K_n(m), the log-evidence against each mean.

    Args:
        values: Distinct observations in [0, 1].
        counts: How often each occurred; (…, values) for several states at once.
        mean: One for each state, or one for all, strictly between 0 and 1.
    """
    grid, log_weights = _mixture()
    means = np.asarray(mean, dtype=float)[..., None]
    # 1 − p is the grid in reverse: 1 - grid would round otherwise, and A and B would not be alike.
    up, down = grid / means, grid[::-1] / (1 - means)
    factors = values[:, None] * up[..., None, :] + (1 - values)[:, None] * down[..., None, :]
    terms = np.squeeze(np.asarray(counts, dtype=float)[..., None, :] @ np.log(factors), axis=-2)
    terms = terms + log_weights
    highest = terms.max(axis=-1, keepdims=True)
    return np.log(np.exp(terms - highest).sum(axis=-1)) + highest[..., 0]


def confidence_sequence(
    values: np.ndarray, counts: np.ndarray, alpha: float = ALPHA
) -> tuple[float, float]:
    """Return the interval of the sequence after the observations so far.

    log K is convex in m and below 0 at the observed mean, so that the means with K below 1/α are an
    interval around it. Without observations it is (0, 1).
    """
    if not np.sum(counts):
        return 0.0, 1.0
    observed = float(np.average(values, weights=counts))
    limit = np.log(1 / alpha)
    ends = []
    for outside in (0.0, 1.0):
        inside = observed
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            if not 0 < middle < 1 or log_capital(values, counts, middle) >= limit:
                outside = middle
            else:
                inside = middle
        ends.append(outside)
    return ends[0], ends[1]


@cache
def _mixture() -> _Mixture:
    """The grid of p and its log-weights: half spread evenly, half near ½, where votes are close."""
    from scipy.stats import beta

    grid = np.arange(1, _GRID + 1) / (_GRID + 1)
    even, near = (beta.pdf(grid, shape, shape) for shape in (1, 12))
    weights = even / even.sum() + near / near.sum()
    return grid, np.log(weights / weights.sum())
