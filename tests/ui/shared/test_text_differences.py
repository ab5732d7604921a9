"""Two texts, and where they differ."""

from __future__ import annotations

import pytest

from studio.ui.shared.text_differences import differences


@pytest.mark.parametrize(
    ("one", "two", "marked"),
    [
        ("the red bar", "the blue bar", ("the <mark>red</mark> bar", "the <mark>blue</mark> bar")),
        ("a b", "a b c", ("a b", "a b <mark>c</mark>")),
        ("same", "same", ("same", "same")),
        ("all", "different", ("all", "different")),
        ("<b> x", "x", ("<mark>&lt;b&gt;</mark> x", "x")),
        ("", "x", ("", "x")),
        ("x " * 2000, "y " * 2000, ("x " * 2000, "y " * 2000)),
    ],
)
def test_differences_word_by_word(one, two, marked):
    assert differences(one, two) == marked
