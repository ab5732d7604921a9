"""None"""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from studio.core.errors import ModelError
from studio.inference.protocol import ChatDelta, said, user_turn
from studio.ui.chat.models import EMBEDDED_KEY
from studio.ui.chat.state import ChatConversation
from studio.ui.chat.views import page, transcript
from tests.ui.chat.fake_inference import (
    ADAPTER,
    BASE,
    ask,
    chosen,
    handlers,
    trained,
)

DONE = ChatDelta(done=True, tokens=1, tokens_per_second=9.0, stopped="end")


COLUMNS, QUESTION, NOTICE, SEND, STOP = 1, 2, 3, 4, 5


def test_an_answer_is_asked_for_and_shown(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path, ChatDelta(text="green"), DONE)
    conversation = ChatConversation()

    first, *_, last = ask(chat, conversation, " Which? ", [image])

    assert first[QUESTION] == ""
    assert not first[SEND].visible
    assert first[STOP].visible
    [request] = chat.context.inference.asked
    assert request.messages == (user_turn("Which?", 1),)
    assert request.images == (chat.context.images.add(image),)
    assert "green" in last[COLUMNS]
    assert "1 token · 9.0 tokens/s" in last[COLUMNS]
    assert last[SEND].visible


def test_a_follow_up_carries_the_conversation_and_no_image_twice(
    tmp_path: Path, image: str
) -> None:
    chat = handlers(tmp_path, ChatDelta(text="green"), DONE)
    conversation = ChatConversation()
    ask(chat, conversation, "Which?", [image])
    ask(chat, conversation, "And then?", [image])

    [request] = chat.context.inference.asked
    assert request.messages == (
        user_turn("Which?", 1),
        said("assistant", "green"),
        user_turn("And then?"),
    )
    assert len(request.images) == 1


def test_base_and_adapter_are_asked_the_same(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path, ChatDelta(text="x"), DONE)
    *_, last = ask(chat, ChatConversation(), "Which?", [image], "run:r1", compare=True)

    base, adapter = chat.context.inference.asked
    assert (base.run, adapter.run) == ("", "r1")
    assert base.messages == adapter.messages
    assert BASE.label in last[COLUMNS]
    assert ADAPTER.label in last[COLUMNS]


def test_an_error_is_shown_and_the_question_goes_back(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path, ModelError("No <b>luck</b>.", remedy="Try again."))
    conversation = ChatConversation()

    *_, last = ask(chat, conversation, "Which?", [image], "run:r1", compare=True)

    assert last[QUESTION] == "Which?"
    assert last[NOTICE].count("No &lt;b&gt;luck&lt;/b&gt;.") == 1
    assert "Try again." in last[NOTICE]
    assert conversation.turns == []


def test_a_question_that_fails_leaves_the_exchange_before_it_as_it_was(
    tmp_path: Path, image: str
) -> None:
    chat = handlers(tmp_path, ChatDelta(text="green"), DONE)
    conversation = ChatConversation()
    ask(chat, conversation, "Which?", [image])
    chat.context.inference.script = (ModelError("Its weights are cut short.", remedy="Copy it."),)

    shown = chat.show(conversation, *chosen("run:r1"))
    *_, last = ask(chat, conversation, "Colour?", [image], "run:r1")

    assert "green" in shown[COLUMNS] and f"{BASE.label} answered" in shown[COLUMNS]
    assert last[QUESTION] == "Colour?" and "cut short" in last[NOTICE]
    assert f"<h3>{BASE.label}</h3>" in last[COLUMNS] and "green" in last[COLUMNS]
    assert ADAPTER.label not in last[COLUMNS] and "answered:" not in last[COLUMNS]


def test_where_one_of_two_fails_its_column_says_so(tmp_path: Path) -> None:
    conversation = ChatConversation(labels={"a": "Model <A>", "b": "B"})
    turn = conversation.begin("Which?", [], ["a", "b"])
    turn.answers["a"].take(ChatDelta(text="green"))
    assert "green" not in transcript(conversation, "b", "B"), "its own is still to come"
    turn.answers["b"].error = "No <b>room</b>."
    assert conversation.drop_empty() == ""
    said = transcript(conversation, "b", "B")
    assert "No answer. No &lt;b&gt;room" in said and "Model &lt;A&gt; answered:" in said


@pytest.mark.parametrize("question", [None, "  "])
def test_nothing_is_asked_without_a_question(tmp_path: Path, question: str | None) -> None:
    chat = handlers(tmp_path)
    [only] = ask(chat, ChatConversation(), question, [])

    assert "There is no question." in only[NOTICE]
    assert chat.context.inference.asked == []


def test_an_unreadable_image_is_refused_before_the_model_is_asked(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("<svg/>")
    chat = handlers(tmp_path)

    [only] = ask(chat, ChatConversation(), "Which?", [str(bad)])

    assert "not a PNG" in only[NOTICE]
    assert chat.context.inference.asked == []


@pytest.mark.parametrize("end", ["stop", "clear"])
def test_stop_and_clear_end_the_answer_and_the_generation(
    tmp_path: Path, image: str, end: str
) -> None:
    chat = handlers(tmp_path, *[ChatDelta(text="more ")] * 1000)
    conversation = ChatConversation()
    steps = chat.ask(None, conversation, "Which?", [(image, None)], *chosen())
    next(steps)
    getattr(chat, end)(conversation)

    *_, last = steps

    assert chat.context.inference.closed
    assert last[SEND].visible
    assert "more" not in last[COLUMNS]


def test_one_column_is_stopped_and_the_other_goes_on(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path)
    conversation = ChatConversation()
    said = {"turn": "", "place": 0}

    def compare(_requests, unwanted):
        yield 0, ChatDelta(text="first ")
        yield 1, ChatDelta(text="second ")
        said["turn"] = conversation.turns[-1].turn_id
        assert page(conversation).count('data-act="stop"') == 2
        _, drawn = chat.stop_one(gr.EventData(None, said), conversation)
        assert drawn.count('data-act="stop"') == 1 and conversation.busy
        assert [unwanted(0), unwanted(1)] == [True, False]
        yield 0, ChatDelta(done=True, tokens=1, tokens_per_second=2.0, stopped="cancelled")
        yield 1, ChatDelta(text="ends")
        yield 1, ChatDelta(done=True, tokens=2, tokens_per_second=2.0, stopped="end")

    chat.context.inference.compare = compare
    *_, last = chat.ask(None, conversation, "Which?", [(image, None)], *chosen("run:r1", True))

    assert [answer.text for answer in conversation.turns[0].answers.values()] == [
        "first ",
        "second ends",
    ]
    assert "1 token · 2.0 tokens/s · stopped" in last[COLUMNS]
    assert 'data-act="vote"' in last[COLUMNS]
    assert conversation.wants(conversation.turns[0])


def test_a_stopped_answer_is_not_called_empty(tmp_path: Path, image: str) -> None:
    stopped = ChatDelta(done=True, tokens=0, tokens_per_second=0.0, stopped="cancelled")
    chat = handlers(tmp_path, stopped)
    conversation = ChatConversation()
    *_, last = ask(chat, conversation, "Which?", [image])
    assert conversation.turns == [] and last[QUESTION] == "Which?"


@pytest.mark.usefixtures("shown_files")
def test_coming_from_a_run_compares_it_and_asks_what_it_changed(tmp_path: Path, image: str) -> None:
    chat = handlers(tmp_path)
    run_id = trained(chat, image, source="/nowhere")
    original = str(chat.context.images.path(chat.context.images.add(image)))

    model, compare, images, question = chat.follow_link((run_id, 1), "", [])
    assert model.value == f"run:{run_id}"
    assert compare.value is True and compare.interactive
    assert question == "Colour?" and images == [original], "the answer that changed comes first"

    typed = chat.follow_link((run_id, 2), "My own question", [])
    assert typed[1].value is True and typed[2:] == (gr.skip(), gr.skip()), "what is typed stays"
    assert chat.follow_link(("gone", 3), "", []) == (gr.skip(),) * 4


def test_blind_columns_tell_nobody_until_the_vote(tmp_path: Path) -> None:
    chat = handlers(tmp_path, ChatDelta(text="x"), DONE)
    conversation = ChatConversation()
    fields = chosen(others=("run:r1",), blind=True)
    seen = [step[COLUMNS] for step in chat.ask(None, conversation, "Which?", None, *fields)]

    for drawn in seen:
        assert "Answer 1" in drawn and "Answer 2" in drawn
        assert ADAPTER.label not in drawn and BASE.label not in drawn and "tokens/s" not in drawn
    [turn] = conversation.turns
    assert sorted(turn.shown) == sorted([EMBEDDED_KEY, "run:r1"])
    turn.vote = "run:r1"
    assert ADAPTER.label in page(conversation) and "tokens/s" in page(conversation)
    turn.vote, turn.blind = "", False
    conversation.begin("Next?", [], [EMBEDDED_KEY, "run:r1"], blind=True).order = (
        "run:r1",
        EMBEDDED_KEY,
    )
    columns = page(conversation).split("<h3>")[1:]
    assert BASE.label in columns[0] and ADAPTER.label in columns[1], "no order of the blind turn"


def test_a_retry_that_fails_brings_the_old_answer_back(tmp_path: Path) -> None:
    chat = handlers(tmp_path, ChatDelta(text="green"), DONE)
    conversation = ChatConversation()
    ask(chat, conversation, "Which?", [])
    [turn] = conversation.turns
    conversation.editing = turn.turn_id
    chat.context.inference.script = (ModelError("No luck."),)

    *_, last = ask(chat, conversation, "Which one?", [])

    assert conversation.turns == [turn] and "green" in last[COLUMNS]
    assert last[QUESTION] == "Which one?" and "No luck" in last[NOTICE]


def test_at_most_four_answer_and_all_as_quantized(tmp_path: Path) -> None:
    chat = handlers(tmp_path, ChatDelta(text="x"), DONE)
    many = chosen(others=tuple(f"model/{n}" for n in range(4)))
    [only] = chat.ask(None, ChatConversation(), "Which?", None, *many)
    assert "4 can answer side by side" in only[NOTICE]

    list(chat.ask(None, ChatConversation(), "Which?", None, *chosen(quantization="nf4")))
    assert [asked.model.quantization for asked in chat.context.inference.asked] == ["nf4"]
