"""Small pieces of HTML: numbers in words, and text that stays text."""

from __future__ import annotations

import logging

import pytest

from studio.core.errors import DataError
from studio.ui.shared.html import bar, code, count, duration, empty, notice, told

HOSTILE = '<img src=x onerror="x">'


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (3569, "59 min"), (3570, "1 h"),
     (7200 + 300, "2 h 5 min")],
)  # fmt: skip
def test_seconds_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (999_999, "999,999"), (1_000_000, "1 M"), (11_340_000, "11.3 M"), (2.2e9, "2.2 B")],
)
def test_counts_in_words(number, words):
    assert count(number) == words


@pytest.mark.parametrize(("share", "percent"), [(-1, "0"), (0.3333, "33.3"), (2, "100")])
def test_a_bar_stays_within_its_ends(share, percent):
    assert f'aria-valuenow="{percent}"' in bar(share) and f"width:{percent}%" in bar(share)


def test_text_stays_text():
    for made in (empty(HOSTILE, HOSTILE), notice(HOSTILE, HOSTILE), code(HOSTILE, HOSTILE)):
        assert "<img" not in made and made.count("&lt;img") == 2


def test_only_what_is_bad_interrupts_and_nothing_empty_is_a_paragraph():
    assert 'role="alert"' in notice("No", tone="bad") and "alert" not in notice("No", tone="warn")
    assert notice("", "", "b").count("<p>") == 1


def test_an_error_in_place_says_what_to_do_and_is_logged(caplog):
    caplog.set_level(logging.INFO)
    shown = told(DataError("It is <damaged>.", remedy="Import it again."))
    assert "It is &lt;damaged&gt;." in shown and "Import it again." in shown
    assert any("It is <damaged>." in record.getMessage() for record in caplog.records)
