"""The conversation of the Chat tab: who is told what, and what is kept of a stopped answer."""

from __future__ import annotations

from pathlib import Path

from studio.inference.protocol import ChatDelta, said, user_turn
from studio.ui.chat.state import ChatAnswer, ChatConversation


def test_a_stopped_answer_keeps_what_has_come(tmp_path: Path) -> None:
    conversation = ChatConversation()
    turn = conversation.begin("Which?", [], ["k"])
    turn.answers["k"].take(ChatDelta(text="gre"))
    conversation.stop()

    assert not conversation.wants(turn)
    assert conversation.drop_empty() == ""
    assert conversation.stats("k") == "stopped"


def test_a_model_new_to_the_conversation_sees_what_the_other_said() -> None:
    conversation = ChatConversation()
    conversation.begin("One?", [], ["a"]).answers["a"] = ChatAnswer("from a", stats="done")
    conversation.begin("Two?", [], ["b"])

    assert conversation.messages("b", "Be brief.") == (
        said("system", "Be brief."),
        user_turn("One?"),
        said("assistant", "from a"),
        user_turn("Two?"),
    )
