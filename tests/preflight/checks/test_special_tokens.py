"""Special tokens of the model in the texts of rows."""

from __future__ import annotations

from studio.preflight.checks.special_tokens import SpecialTokens
from tests.preflight.conftest import look, row


def test_special_tokens_in_any_text_are_named():
    found = look(
        SpecialTokens(["<image>", "<end_of_utterance>", " "]),
        row("What is <image> here?"),
        row("Fine?", chosen="a", rejected="b<end_of_utterance>"),
        row("<images> < image >", completion="x y"),
    )
    assert found["special_tokens"].reasons == {
        1: "contains <image>",
        2: "contains <end_of_utterance>",
    }


def test_no_special_tokens_find_nothing():
    assert look(SpecialTokens([]), row("anything <image>")) == {}
