"""Languages of questions and answers."""

from __future__ import annotations

import pytest

from studio.preflight.checks.language import Languages, language_of
from tests.preflight.conftest import look, row


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How many bars are there in the chart?", "en"),
        ("Welche Farbe hat der höchste Balken im Diagramm?", "de"),
        ("Quelle est la couleur de la barre la plus haute ?", "fr"),
        ("图中最高的柱子是什么颜色？", "zh"),
        ("Какого цвета самый высокий столбец?", "ru"),
        ("42 %", ""),
        ("blue", ""),
        ("", ""),
    ],
)
def test_languages_are_told_only_where_the_text_tells(text, language):
    assert language_of(text) == language


def test_an_answer_in_another_language_is_a_warning_and_a_mix_is_not():
    english = "How many bars are there in the chart?"
    german = "Wie viele Balken sind in diesem Diagramm zu sehen?"
    check = Languages()
    found = look(
        check,
        *[row(english, completion="There are three bars in the chart.")] * 3,
        row(english, completion=german),
        row(german, completion="In diesem Diagramm sind drei Balken zu sehen."),
    )
    assert (found["answer_language"].rows, found["answer_language"].severity) == ([4], "warning")
    assert (found["language_mix"].rows, found["language_mix"].severity) == ([5], "info")
    assert "German" in found["language_mix"].message
    assert check.shares == {"en": 0.8, "de": 0.2}
