"""Rows of one split that come again in another."""

from __future__ import annotations

from studio.preflight.checks.leakage import Leakage
from studio.preflight.image_fingerprints import Pictures
from tests.preflight.conftest import look, row


def test_a_question_in_two_splits_leaks_when_there_is_no_image(store):
    rows = [row("What is this?"), row("Something else"), row("what is this?")]
    found = look(Leakage(Pictures(store)), *rows, splits=("train", "test", "test"))
    assert found["leakage"].rows == [3] and found["leakage"].severity == "error"
    assert look(Leakage(Pictures(store)), *rows) == {}
