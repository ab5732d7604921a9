"""Conversations over a reload, in two tabs, and as files."""

from __future__ import annotations

import json
from pathlib import Path

from studio.core.paths import Workspace
from studio.inference.conversation_store import ConversationStore
from studio.inference.protocol import ChatDelta
from studio.ui.chat.kept import as_json, as_markdown, keep, list_html, open_kept
from studio.ui.chat.state import LEFT, ChatConversation
from studio.ui.chat.views import page

DONE = ChatDelta(done=True, tokens=2, tokens_per_second=9.0, stopped="end")


def talk(text: str = "green") -> ChatConversation:
    conversation = ChatConversation(columns=(("k", "Model"),), labels={"k": "Model"})
    answer = conversation.begin("Which <b>?", [], ["k"]).answers["k"]
    answer.take(ChatDelta(text=text))
    answer.take(DONE)
    return conversation


def test_a_reload_brings_everything_back_and_says_what_never_came(tmp_path: Path) -> None:
    workspace, shown = Workspace.locate(tmp_path), talk()
    shown.begin("And then?", [], ["k"])
    assert keep(workspace, "ana", shown) is None

    again = ChatConversation()
    open_kept(workspace, "ana", shown.conversation_id, again)

    assert [turn.question for turn in again.turns] == ["Which <b>?", "And then?"]
    assert again.turns[0] == shown.turns[0]
    assert not again.busy and again.turns[1].answers["k"].error == LEFT
    assert "Press Retry" in page(again) and "<b>?" not in page(again)


def test_two_tabs_keep_both_and_a_deleted_one_stays_deleted(tmp_path: Path) -> None:
    workspace, one, other = Workspace.locate(tmp_path), talk(), ChatConversation()
    keep(workspace, "ana", one)
    open_kept(workspace, "ana", one.conversation_id, other)
    one.begin("From one?", [], ["k"])
    other.begin("From the other?", [], ["k"])
    assert keep(workspace, "ana", one) is None

    said = keep(workspace, "ana", other)

    store = ConversationStore(workspace, "ana")
    assert said is not None and "kept as a copy" in str(said)
    assert {kept.content["turns"][-1]["question"] for kept in store.list()} == {
        "From one?",
        "From the other?",
    }
    store.delete(one.conversation_id)
    gone = keep(workspace, "ana", one)
    assert gone is not None and "deleted" in str(gone)
    assert len(store.list()) == 1


def test_files_and_list_hold_no_markup(tmp_path: Path) -> None:
    shown = talk("```\n# no heading\n<script>")
    shown.name = "<img src=x>"
    keep(Workspace.locate(tmp_path), "ana", shown)

    assert json.loads(as_json(shown))["turns"][0]["answers"]["k"]["text"].endswith("<script>")
    assert "````text\n```\n# no heading" in as_markdown(shown)
    listed = list_html(ConversationStore(Workspace.locate(tmp_path), "ana").list(), "")
    assert "<img" not in listed and "&lt;img" in listed
