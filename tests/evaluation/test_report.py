"""Answers into figures and sentences, without a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.data.schema import Answer, Message, Part, Row
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluation import AnswerLikelihoods, EvaluationRequest, RowAnswer
from studio.evaluation.report import difference, results_of, row_records, scored_texts, shown
from studio.metrics import METRICS

PROMPT = (Message("user", (Part("image"), Part("text", "Which?"))),)


def row(number: int, **answers: str) -> Row:
    given = {name: Answer(text) for name, text in (answers or {"completion": "red"}).items()}
    return Row(str(number), (f"{number:064}",), PROMPT, **given)


def request(*metrics: str, models=("base", "new"), baseline="base", rows=40) -> EvaluationRequest:
    return EvaluationRequest(
        model={"id": "embedded"},
        models=tuple(EvaluatedModel(name, "embedded") for name in models),
        baseline=baseline,
        data="rows.jsonl",
        split="",
        source="rows",
        rows=rows,
        left_out={},
        metrics=metrics,
    )


def figures(asked, rows, answers, likelihoods=None):
    metrics = [METRICS[name] for name in asked.metrics]
    return results_of(asked, metrics, rows, answers, likelihoods or {})


def test_better_is_said_with_both_figures_and_the_interval():
    rows = [row(number) for number in range(40)]
    answers = {("base", n): RowAnswer("red" if n < 4 else "blue") for n in range(40)}
    answers |= {("new", n): RowAnswer("Red." if n < 38 else "") for n in range(40)}
    found = figures(request("exact_match"), rows, answers)
    pair = found["new"].paired["exact_match"]
    assert (pair.verdict, pair.fixed, pair.broken, pair.rows) == ("better", 34, 0, 40)
    assert pair.p < 0.001 and pair.low > 0.7
    first, second = found["new"].sentences
    assert first.startswith(
        "Exact match: better than base, 10 % → 95 % (+85.0 points, 95 % interval +"
    )
    assert second == "2 answers of 40 are empty: 38, 39."
    assert found["base"].paired == {} and found["base"].sentences == ()


def test_a_difference_that_could_be_chance_is_said_with_the_rows_it_would_take():
    rows = [row(number) for number in range(40)]
    answers = {("base", n): RowAnswer("red" if n < 20 else "blue") for n in range(40)}
    answers |= {("new", n): RowAnswer("red" if 1 <= n < 22 else "blue") for n in range(40)}
    found = figures(request("exact_match"), rows, answers)
    pair = found["new"].paired["exact_match"]
    assert pair.verdict == "cannot tell" and (pair.fixed, pair.broken) == (2, 1)
    assert f"About {pair.rows_needed:,} rows would tell" in found["new"].sentences[0]


def test_an_interval_that_the_test_does_not_bear_out_is_said_to_be_none_to_rely_on():
    rows = [row(number) for number in range(40)]
    answers = {("base", n): RowAnswer("red" if n < 30 else "blue") for n in range(40)}
    answers |= {("new", n): RowAnswer("red" if n < 34 else "blue") for n in range(40)}
    found = figures(request("exact_match"), rows, answers)
    pair = found["new"].paired["exact_match"]
    assert pair.verdict == "cannot tell" and pair.low > 0 and pair.p == 0.125
    assert "but p 0.12: too few images differ" in found["new"].sentences[0]


def test_a_row_that_one_model_could_not_answer_counts_for_neither():
    rows = [row(number) for number in range(40)]
    answers = {(name, n): RowAnswer("red") for name in ("base", "new") for n in range(40)}
    answers["new", 0] = RowAnswer(reason="Its image is gone.")
    found = figures(request("exact_match"), rows, answers)
    assert found["new"].metrics["exact_match"].rows == 39
    assert "1 row could not be answered" in found["new"].metrics["exact_match"].left_out
    assert found["new"].paired["exact_match"].rows == 39
    assert found["new"].failed == {"0": "Its image is gone."}
    assert "Its image is gone." in found["new"].sentences[-1]


def test_answers_that_are_cut_are_counted():
    answers = {("base", n): RowAnswer("red red", 64, cut=True) for n in range(2)}
    found = figures(request("words", models=("base",), baseline=""), [row(0), row(1)], answers)
    assert "2 answers reached the longest length, 64 tokens" in found["base"].sentences[0]


def test_likelihoods_become_preferences_margins_and_perplexity():
    rows = [row(n, completion="red", chosen="red", rejected="blue") for n in range(3)]
    asked = request("preference_accuracy", "implicit_margin", "perplexity", rows=3)
    metrics = [METRICS[name] for name in asked.metrics]
    assert scored_texts(rows[0], metrics) == ("red", "blue", "red")
    tokens = (2, 3, 2)
    likelihoods = {("base", n): AnswerLikelihoods((-2.0, -1.0, -2.0), tokens) for n in range(3)}
    likelihoods |= {("new", n): AnswerLikelihoods((-1.0, -4.0, -1.0), tokens) for n in range(3)}
    likelihoods["new", 2] = AnswerLikelihoods(reason="too long")
    found = figures(asked, rows, {}, likelihoods)
    assert found["base"].metrics["preference_accuracy"].value == 0
    assert found["new"].metrics["preference_accuracy"].value == 1
    assert found["new"].metrics["implicit_margin"].value == pytest.approx(4)
    assert found["base"].metrics["implicit_margin"].value == 0
    assert found["base"].metrics["perplexity"].value == pytest.approx(2.718, abs=0.001)
    assert found["new"].metrics["perplexity"].rows == 2
    assert found["new"].failed == {"2": "too long"}


def test_rows_carry_every_answer_and_score():
    answers = {("base", 0): RowAnswer("blue"), ("new", 0): RowAnswer("red")}
    asked = request("exact_match", rows=1)
    (record,) = row_records(asked, [METRICS["exact_match"]], [row(0)], answers, {})
    assert (record.question, record.accepted) == ("Which?", ("red",))
    assert record.answers["new"].text == "red"
    assert record.scores == {"base": {"exact_match": 0.0}, "new": {"exact_match": 1.0}}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("exact_match", 0.0, "0 %"),
        ("exact_match", 0.004, "0.4 %"),
        ("exact_match", 0.996, "99.6 %"),
        ("exact_match", 1.0, "100 %"),
        ("words", 3.14159, "3.14"),
        ("words", 12345.6, "12,346"),
    ],
)
def test_figures_as_people_read_them(name, value, text):
    assert shown(METRICS[name], value) == text


def test_differences_have_a_sign():
    assert difference(METRICS["exact_match"], -0.125) == "\N{MINUS SIGN}12.5"
    assert difference(METRICS["words"], 2.0) == "+2"


def test_lower_is_better_where_it_is():
    rows = [row(number) for number in range(40)]
    answers = {("base", n): RowAnswer("I cannot tell.") for n in range(40)}
    answers |= {("new", n): RowAnswer("red") for n in range(40)}
    pair = figures(request("evasive_rate"), rows, answers)["new"].paired["evasive_rate"]
    assert (pair.verdict, pair.difference, pair.fixed, pair.broken) == ("better", -1.0, 40, 0)
    turned = replace(request("evasive_rate"), baseline="new")
    assert figures(turned, rows, answers)["base"].paired["evasive_rate"].verdict == "worse"
