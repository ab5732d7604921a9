import random

import numpy as np
import pytest

from studio.metrics.text_overlap import chrf, chrf_counts, chrf_score, rouge_l_score
from tests.evaluation.row_makers import row_of

WORDS = [
    "the",
    "a",
    "bar",
    "line",
    "red",
    "blue",
    "12",
    "3.5",
    "chart",
    "shows",
    "Über",
    "größte",
    "图",
    "表",
    "is,",
    "of.",
    "and",
]


def _texts(count, seed):
    rng = random.Random(seed)
    return ["  ".join(rng.choices(WORDS, k=rng.randint(0, 9))) for _ in range(count)]


def test_chrf_by_hand():
    # One gram of three is shared: abc and abd share a, b (2 of 3), ab (1 of 2), none of length 3.
    precision = recall = (2 / 3 + 1 / 2 + 0) / 3
    assert chrf_score("ab c", ("abd",), row_of()) == pytest.approx(
        5 * precision * recall / (4 * precision + recall)
    )
    assert chrf_score("same text", ("sametext",), row_of()) == 1
    assert chrf_score("", ("a",), row_of()) == 0
    assert chrf_score("a", (), row_of()) is None


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [
        # As sacrebleu 2.6 gives them.
        ("The red bar is the tallest.", "The tallest bar is red.", 59.97),
        ("two lines", "There are two lines in the chart.", 26.14),
    ],
)
def test_chrf_of_sacrebleu(prediction, answer, score):
    assert 100 * chrf_score(prediction, (answer,), row_of()) == pytest.approx(score, abs=0.005)


@pytest.mark.parametrize(
    ("prediction", "answer", "score"),
    [
        # Lin 2004, section 3.1: both sentences share a sequence of three (then two) words of four.
        ("police kill the gunman", "police killed the gunman", 3 / 4),
        ("the gunman kill police", "police killed the gunman", 2 / 4),
        # The example in the readme of rouge-score.
        (
            "The quick brown dog jumps on the log.",
            "The quick brown fox jumps over the lazy dog",
            10 / 17,
        ),
    ],
)
def test_rouge_l_of_published_examples(prediction, answer, score):
    assert rouge_l_score(prediction, (answer,), row_of()) == pytest.approx(score)


def test_chrf_counts_against_the_best_answer():
    answers = ("blue line", "red bar")
    assert chrf_score("red bar", answers, row_of()) == 1
    assert chrf_counts("red bar", answers, row_of()) == chrf_counts(
        "red bar", ("red bar",), row_of()
    )


def test_chrf_of_all_rows_leaves_out_lengths_that_an_answer_does_not_reach():
    # sacrebleu 2.6: corpus_score(["red", "blue bar"], [["re", "blue bar"]]) without smoothing.
    counts = [
        chrf_counts("red", ("re",), row_of()),
        chrf_counts("blue bar", ("blue bar",), row_of()),
    ]
    assert counts[0][6:9] == (0, 0, 0)
    assert 100 * float(chrf(np.sum(counts, axis=0))) == pytest.approx(99.227, abs=0.005)


def test_rouge_l_takes_the_best_answer_and_reads_other_scripts():
    assert rouge_l_score("red bar", ("blue line", "red bar"), row_of()) == 1
    assert rouge_l_score("红色的柱", ("红色柱",), row_of()) == pytest.approx(6 / 7)
    assert rouge_l_score("", ("a",), row_of()) == 0
    assert rouge_l_score("a", (), row_of()) is None


def test_chrf_equals_sacrebleu_for_rows_and_for_all():
    sacrebleu = pytest.importorskip("sacrebleu.metrics")
    theirs = sacrebleu.CHRF()
    given, one, two = _texts(120, 1), _texts(120, 2), _texts(120, 3)
    counts = [
        chrf_counts(text, answers, row_of()) for text, *answers in zip(given, one, two, strict=True)
    ]
    whole = theirs.corpus_score(given, [one, two]).score
    assert 100 * float(chrf(np.sum(counts, axis=0))) == pytest.approx(whole)
    for text, *answers in zip(given, one, two, strict=True):
        alone = theirs.sentence_score(text, answers).score
        assert 100 * chrf_score(text, answers, row_of()) == pytest.approx(alone)


def test_rouge_l_equals_rouge_score():
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    for text, answer in zip(_texts(200, 4), _texts(200, 5), strict=True):
        theirs = scorer.score(answer, text)["rougeL"].fmeasure
        assert rouge_l_score(text, (answer,), row_of()) == pytest.approx(theirs)
