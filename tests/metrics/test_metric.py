import numpy as np
import pytest

from studio.core.errors import InputError
from studio.metrics.log_probabilities import PairLogProbabilities
from studio.metrics.metric import LACKING, score_log_probabilities, score_rows
from studio.metrics.metric_table import METRICS
from tests.evaluation.row_makers import row_of


def test_rows_to_which_a_metric_does_not_apply_are_counted_and_named():
    rows = [row_of("yes"), row_of("blue"), row_of("no"), row_of()]
    scores = score_rows(METRICS["yes_f1"], ["yes", "blue", "yes", "yes"], rows)
    assert scores.scores == (1, None, 0, None)
    assert scores.applies.tolist() == [True, False, True, False]
    assert scores.counts[[0, 2]].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert np.isnan(scores.counts[[1, 3]]).all()
    assert scores.left_out == 2
    assert scores.why_left_out == "2 of 4 rows have no accepted answer that is yes or no."


def test_nothing_is_said_where_nothing_is_left_out():
    assert score_rows(METRICS["words"], ["a b"], [row_of()]).why_left_out == ""


def test_the_mean_is_made_of_scores_and_rows():
    scores = score_rows(METRICS["words"], ["a b", "a"], [row_of(), row_of()])
    assert scores.counts.tolist() == [[2, 1], [1, 1]]
    assert METRICS["words"].combine(scores.counts.sum(axis=0)) == 1.5


def test_other_accepted_answers_may_be_given():
    answers = ["red"] * 3 + ["blue"]
    scores = score_rows(METRICS["vqa_accuracy"], ["red"], [row_of("red", "blue")], [answers])
    assert scores.scores == (pytest.approx((3 * 2 / 3 + 1) / 4),)


def test_answers_and_rows_must_be_as_many():
    with pytest.raises(InputError, match="1 answers to 2 rows"):
        score_rows(METRICS["words"], ["a"], [row_of(), row_of()])


def test_log_probabilities_have_a_way_of_their_own():
    pair = METRICS["preference_accuracy"]
    with pytest.raises(InputError, match="log-probabilities"):
        score_rows(pair, ["a"], [row_of()])
    scores = score_log_probabilities(pair, [PairLogProbabilities(-1, -2), None])
    assert scores.scores == (1, None)
    assert scores.why_left_out == "1 of 2 rows has no chosen and rejected answer."


def test_every_need_has_words_for_its_lack():
    assert {metric.needs for metric in METRICS.values()} == set(LACKING)
