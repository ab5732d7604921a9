"""What a script may say in an event, and what becomes of it."""

from __future__ import annotations

import gradio as gr
import pytest

from studio.ui.events.event_data import LARGEST, details, number, text, whole_number

GARBAGE = (None, "", "x", "-1", "1.5", "²", "1" * 5000, "1e3", [1], {"a": 1}, LARGEST + 1, True)


@pytest.mark.parametrize("value", GARBAGE)
def test_what_is_no_number_is_none(value):
    assert whole_number(value) is None
    assert number(gr.EventData(None, {"item": value}), "item") is None


def test_numbers_come_as_numbers_or_as_digits():
    assert [whole_number(one) for one in (0, "0", 7, "7", LARGEST)] == [0, 0, 7, 7, LARGEST]


@pytest.mark.parametrize("sent", [None, "x", 5, ["item"], True])
def test_an_event_that_carries_nothing_says_nothing(sent):
    event = gr.EventData(None, sent)
    assert (details(event), text(event, "item"), number(event, "item")) == ({}, "", None)


def test_texts_are_texts():
    event = gr.EventData(None, {"one": "a", "two": 5, "three": None})
    assert [text(event, name) for name in ("one", "two", "three", "four")] == ["a", "5", "", ""]
