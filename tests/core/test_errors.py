"""Errors as sentences."""

import pytest

from studio.core.errors import ConfigError, FieldProblem


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
