"""Figures from log-probabilities of given answers: preferences, margins, perplexity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from studio.core.errors import InputError


@dataclass(frozen=True)
class PairLogProbabilities:
    """Summed log-probabilities of the two answers of a preference pair.

    Attributes:
        chosen, rejected: Under the model that is evaluated.
        reference_chosen, reference_rejected: Under the model it was trained from; 0 without one.
    """

    chosen: float
    rejected: float
    reference_chosen: float = 0.0
    reference_rejected: float = 0.0


@dataclass(frozen=True)
class AnswerLogProbability:
    """Log-probability of a reference answer.

    Attributes:
        mean: Per token.
        tokens: How many there are.
    """

    mean: float
    tokens: int = 1


def implicit_margin(pair: PairLogProbabilities, beta: float = 1.0) -> float:
    """Compute DPO's implicit reward of the chosen answer minus that of the rejected one.

    beta · [(log π − log π_ref)(chosen) − (log π − log π_ref)(rejected)]; Rafailov et al. 2023,
    section 4, the term within the sigmoid of equation 7.
    """
    _refuse_nan(pair.chosen, pair.rejected, pair.reference_chosen, pair.reference_rejected)
    gained = pair.chosen - pair.reference_chosen
    return beta * (gained - (pair.rejected - pair.reference_rejected))


def preference_score(pair: PairLogProbabilities) -> float:
    """Score 1 where the chosen answer is the likelier one, ½ for equally likely ones, else 0."""
    _refuse_nan(pair.chosen, pair.rejected)
    return float(np.sign(pair.chosen - pair.rejected) + 1) / 2


def row_perplexity(answer: AnswerLogProbability) -> float:
    """Compute exp(−mean log-probability of a token) of one answer."""
    _refuse_nan(answer.mean)
    return math.exp(min(-answer.mean, 700.0))


def perplexity_counts(answer: AnswerLogProbability) -> tuple[float, float]:
    """Return the summed log-probability and the tokens of one answer."""
    _refuse_nan(answer.mean)
    return answer.mean * answer.tokens, float(answer.tokens)


def perplexity(sums: np.ndarray) -> np.ndarray:
    """Compute exp(−Σ log p / Σ tokens), each token counted once, from summed `perplexity_counts`."""
    return np.exp(np.minimum(-sums[..., 0] / np.maximum(sums[..., 1], 1), 700.0))


def _refuse_nan(*values: float) -> None:
    if not all(map(math.isfinite, values)):
        raise InputError(
            f"A log-probability is {next(v for v in values if not math.isfinite(v))}.",
            remedy="Evaluate a checkpoint whose loss is a number.",
        )
