import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from studio.metrics.yes_no import (
    accuracy_score,
    confusion,
    f1,
    precision,
    recall,
    right_answer,
    yes_or_no,
    yes_score,
)
from tests.evaluation.row_makers import row_of


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("Yes, there is no doubt", "yes"),
        ("No, there is a dog", "no"),
        ("There is a cat in the image.", "yes"),
        ("There is no cat in the image.", "no"),
        ("There is not a cat. Yes", "no"),
        ("There isn't a cat", "no"),
        ("There is a cat. It is not black.", "yes"),
        ("Nothing there", "yes"),
        ("", None),
        ("I cannot tell from the image", None),
    ],
)
def test_yes_or_no(answer, said):
    assert yes_or_no(answer) == said


def test_only_rows_whose_answer_is_yes_or_no_count():
    assert right_answer(("Yes.",)) == "yes"
    assert right_answer(("no", "No!")) == "no"
    assert right_answer(("yes", "no")) is None
    assert right_answer(()) is None
    assert accuracy_score("yes", ("blue",), row_of()) is None
    assert yes_score("yes", ("blue",), row_of()) is None
    assert confusion("yes", ("blue",), row_of()) is None


def test_the_figures_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    said, right = (rng.choice(["yes", "no"], 60, p=chance) for chance in ([0.7, 0.3], [0.4, 0.6]))
    table = [confusion(one, (two,), row_of()) for one, two in zip(said, right, strict=True)]
    sums = np.sum(table, axis=0)
    given = {"y_true": right, "y_pred": said, "pos_label": "yes"}
    assert precision(sums) == pytest.approx(precision_score(**given))
    assert recall(sums) == pytest.approx(recall_score(**given))
    assert f1(sums) == pytest.approx(f1_score(**given))
    both = list(zip(said, right, strict=True))
    accuracy = [accuracy_score(one, (two,), row_of()) for one, two in both]
    assert np.mean(accuracy) == np.mean(said == right)
    assert np.mean([yes_score(one, (two,), row_of()) for one, two in both]) == np.mean(
        said == "yes"
    )


def test_an_answer_that_is_neither_is_a_missed_yes_and_no_false_one():
    assert confusion("", ("yes",), row_of()) == (0, 0, 1)
    assert confusion("", ("no",), row_of()) == (0, 0, 0)
    assert accuracy_score("", ("no",), row_of()) == 0
    assert yes_score("", ("no",), row_of()) == 0


def test_a_model_that_never_says_yes_has_no_precision():
    assert precision(np.zeros(3)) == recall(np.zeros(3)) == f1(np.zeros(3)) == 0
