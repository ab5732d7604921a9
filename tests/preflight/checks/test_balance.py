"""Answers that are nearly always the same."""

from __future__ import annotations

from studio.preflight.checks.balance import Balance
from tests.preflight.conftest import look, row


def test_one_answer_for_nearly_everything_is_a_warning():
    rows = [row(str(n), completion="Yes" if n < 15 else f"no {n}") for n in range(24)]
    found = look(Balance([]), *rows)
    assert found["one_answer"].rows == list(range(1, 16))
    assert found["little_data"].rows == []


def test_enough_rows_and_mixed_answers_are_fine():
    assert look(Balance([]), *[row(str(n), completion=str(n)) for n in range(100)]) == {}
