import math

import numpy as np
import pytest

from studio.core.errors import InputError
from studio.metrics.log_probabilities import (
    AnswerLogProbability,
    PairLogProbabilities,
    implicit_margin,
    perplexity,
    perplexity_counts,
    preference_score,
    row_perplexity,
)


def test_the_margin_is_what_chosen_gained_over_rejected():
    pair = PairLogProbabilities(-10, -12, reference_chosen=-11, reference_rejected=-9)
    assert implicit_margin(pair) == 4
    assert implicit_margin(pair, beta=0.1) == pytest.approx(0.4)
    assert implicit_margin(PairLogProbabilities(-10, -12)) == 2


def test_preference():
    assert preference_score(PairLogProbabilities(-1, -2)) == 1
    assert preference_score(PairLogProbabilities(-2, -1)) == 0
    assert preference_score(PairLogProbabilities(-2, -2)) == 0.5


def test_perplexity_counts_each_token_once():
    answers = [AnswerLogProbability(math.log(1 / 2), 3), AnswerLogProbability(math.log(1 / 8), 1)]
    assert row_perplexity(answers[0]) == pytest.approx(2)
    sums = np.sum([perplexity_counts(answer) for answer in answers], axis=0)
    # (½ · ½ · ½ · ⅛) ^ (−1/4)
    assert perplexity(sums) == pytest.approx(64 ** (1 / 4))


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="nan"):
        preference_score(PairLogProbabilities(math.nan, -1))
    with pytest.raises(InputError, match="inf"):
        implicit_margin(PairLogProbabilities(-1, -math.inf))
    with pytest.raises(InputError):
        row_perplexity(AnswerLogProbability(math.nan))
    with pytest.raises(InputError):
        perplexity_counts(AnswerLogProbability(math.nan))


def test_an_impossible_answer_has_a_perplexity():
    assert math.isfinite(row_perplexity(AnswerLogProbability(-1e6)))
