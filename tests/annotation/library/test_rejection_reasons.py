"""Reasons are one when only the values in them differ."""

from __future__ import annotations

import pytest

from studio.annotation.library import rejection_reasons
from studio.annotation.library.rejection_reasons import OTHER, ReasonGroup, blanked, grouped
from studio.data.schema import BadRow


def test_rows_with_the_same_reason_are_counted_with_their_first_lines():
    rows = [BadRow(n, f"there is no image file 'a{n}.png'") for n in range(1, 9)]
    rows.append(BadRow(9, "the answer is empty"))
    assert grouped(rows) == [
        ReasonGroup("there is no image file …", 8, (1, 2, 3, 4, 5), rows[0].reason),
        ReasonGroup("the answer is empty", 1, (9,), "the answer is empty"),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("there is no image file 'x.png'", "there is no image file 'y z.png'"),
        ("the image imgs/1.png is damaged", "the image imgs/b/2.jpg is damaged"),
        ("the text has 120,001 characters", "the text has 99 characters"),
        ("there is no file a.jpg", "there is no file b.jpeg"),
        ("“red” is no number", "“blue” is no number"),
    ],
)
def test_values_are_blanked(one, other):
    assert blanked(one) == blanked(other) and "…" in blanked(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the question is empty", "the answer is empty"),
        ("the row's image can't be read", "the row's image can't be found"),
    ],
)
def test_other_reasons_stay_apart(one, other):
    assert blanked(one) == one != blanked(other) == other


def test_very_many_reasons_are_counted_together(monkeypatch):
    monkeypatch.setattr(rejection_reasons, "MOST", 2)
    rows = [BadRow(n, f"reason {letter}") for n, letter in enumerate("abcdd", 1)]
    groups = {group.reason: group.count for group in grouped(rows)}
    assert groups == {"reason a": 1, "reason b": 1, OTHER: 3}
