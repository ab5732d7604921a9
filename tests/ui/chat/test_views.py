"""The transcript of the Chat tab as HTML."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.inference.protocol import ChatDelta
from studio.ui.chat.models import EMBEDDED_KEY
from studio.ui.chat.state import ChatConversation
from studio.ui.chat.views import transcript
from tests.ui.chat.fake_inference import (
    ask,
    handlers,
)


def test_nothing_a_model_says_becomes_markup() -> None:
    hostile = "<img src=x onerror=alert(1)> ${alert(1)} {{alert(1)}} ![t](http://x/t.png)"
    conversation = ChatConversation()
    conversation.begin(hostile, [], ["k"]).answers["k"].take(ChatDelta(text=hostile))

    page = transcript(conversation, "k", hostile)

    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") == 4


@pytest.mark.parametrize(
    ("tokens", "stopped", "said"),
    [
        (0, "end", "ended its answer at once (0 tokens)"),
        (1, "end", "wrote 1 token of which nothing can be seen"),
        (
            256,
            "length",
            "wrote 256 tokens of which nothing can be seen (blanks, special tokens), up",
        ),
    ],
)
def test_an_empty_answer_is_shown_as_such(
    tmp_path: Path, image: str, tokens: int, stopped: str, said: str
) -> None:
    done = ChatDelta(done=True, tokens=tokens, tokens_per_second=9.0, stopped=stopped)
    chat = handlers(tmp_path, ChatDelta(text=" \n"), done)
    conversation = ChatConversation()
    ask(chat, conversation, "Which?", [image], "run:r1", compare=True)
    assert len(conversation.turns) == 1, "it was answered, with nothing"
    shown = transcript(conversation, "run:r1", "Grounded")
    assert "(empty answer)" in shown and said in shown
    assert "(empty answer)" in transcript(conversation, EMBEDDED_KEY, "Base")
    ask(chat, conversation, "And then?", [], "run:r1")
    assert transcript(conversation, "run:r1", "Grounded").count(said) == 2, "earlier ones too"
