"""Errors say what happened and what to do, each in whole sentences."""

from __future__ import annotations

import pytest

from studio.core.errors import (
    ConfigError,
    DataError,
    FieldProblem,
    InputError,
    StudioError,
    first_line,
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StudioError("It broke"), "It broke"),
        (StudioError("It broke", remedy="Mend it."), "It broke. Mend it."),
        (StudioError("Is it there?", remedy="Look."), "Is it there? Look."),
        (DataError("No rows.", field="data.source"), "data.source: No rows."),
        (DataError("data.source is empty.", field="data.source"), "data.source is empty."),
    ],
)
def test_message_and_remedy_are_sentences_with_the_field_named_once(error, said):
    assert str(error) == said


def test_only_who_runs_the_studio_is_told_the_detail():
    error = StudioError("It broke.", detail="It is /secret.")
    assert "/secret" not in str(error) and error.in_full == "It broke. It is /secret."


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("must be a number.", "batch.total must be a number."),
        ("unknown setting.", "batch.total: unknown setting."),
        ("Value should be less.", "batch.total: Value should be less."),
        ("batch.total is odd.", "batch.total is odd."),
        ("Nothing is left to train.", "Nothing is left to train."),
    ],
)
def test_a_problem_alone_has_its_subject(message, sentence):
    assert FieldProblem("batch.total", message).sentence == sentence


def test_every_problem_of_a_configuration_is_told_and_the_first_names_the_field():
    problems = [FieldProblem("a", "is odd.", "Mend it."), FieldProblem("b", "is even.", "Mend it.")]
    error = ConfigError(problems)
    assert str(error) == "a: is odd. Mend it.\nb: is even. Mend it."
    assert (error.message, error.remedy, error.field) == ("a is odd. b is even.", "Mend it.", "a")
    assert error.exit_code == 2


def test_the_first_line_of_an_error_that_says_nothing_is_its_kind():
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (FieldProblem("schedule.epochs", "must be more than 3."), "schedule.epochs must be more"),
        (FieldProblem("a.yaml", "is not a mapping of settings."), "a.yaml is not a mapping"),
        (FieldProblem("batch.x", "unknown setting."), "batch.x: unknown setting."),
        (FieldProblem("batch.x", "Input should be 1 or more (got 0)."), "batch.x: Input should"),
        (FieldProblem("adapter", "Quantized weights cannot be trained."), "Quantized weights"),
        (FieldProblem("dpo", "In dpo there is no x."), "In dpo there"),
    ],
)
def test_a_problem_is_a_whole_sentence_where_its_field_is_not_shown(problem, said):
    assert ConfigError([problem]).message.startswith(said)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("There are no rows.", "There are no rows. Add some."),
        ("rows.zip is damaged.", "rows.zip is damaged. Add some."),
        ("must be positive.", "data.limit must be positive. Add some."),
    ],
)
def test_where_no_field_is_shown_it_is_named_only_as_the_subject(message, said):
    assert InputError(message, remedy="Add some.", field="data.limit").in_words == said
    assert InputError(message, remedy="Add some.").in_words == f"{message} Add some."
