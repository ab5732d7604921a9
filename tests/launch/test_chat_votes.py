"""Votes and verdicts of the chat as rows of the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.records import ItemFilter
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.data.schema import VERDICT, Answer
from studio.inference.protocol import user_turn
from studio.launch.chat_votes import VERDICTS, VOTES, ChatTurn, keep_verdict, keep_vote


@pytest.fixture
def store(tmp_path: Path):
    store = AnnotationStore(Workspace.locate(tmp_path).database_url)
    yield store
    store.close()


def turn(*texts: str, who: str = "ana") -> ChatTurn:
    answers = [
        Answer(text, author=f"run{index}@{index}", tokens=3, decoding={"temperature": 0.0})
        for index, text in enumerate(texts)
    ]
    return ChatTurn("chat-a-1", (), (user_turn("Which?"),), tuple(answers), who, {"chat": "a"})


def test_another_vote_on_a_turn_replaces_the_first(store: AnnotationStore) -> None:
    asked = turn("red", "green", "blue")
    assert keep_vote(store, "", asked, 0, blind=True) == 2
    assert keep_vote(store, "", asked, 1, blind=True) == 2
    assert keep_vote(store, "", asked, 1, blind=True) == 2

    [item] = store.every(ItemFilter(VOTES))
    assert {one.author for one in item.candidates} == {"run0@0", "run1@1", "run2@2"}
    assert len(item.pairs) == 3
    text = {one.id: one.text for one in item.candidates}
    standing = [store.card(pair.id, "ana").current for pair in item.pairs]
    assert sorted(
        (one.kind, text.get(one.winner_id, "")) for one in standing if one is not None
    ) == [("choose", "green"), ("choose", "green"), ("skip", "")]
    assert {record["annotator"] for record in store.answers(VOTES)} == {"ana"}


def test_a_tie_and_two_people(store: AnnotationStore) -> None:
    keep_vote(store, "mine", turn("red", "green"), None, blind=False)
    keep_vote(store, "mine", turn("red", "green", who="ben"), 0, blind=True)

    [item] = store.every(ItemFilter("mine"))
    [pair] = item.pairs
    assert pair.votes == 2
    tie = store.card(pair.id, "ana").current
    assert tie is not None and tie.kind == "tie" and "shown" in tie.comment


def test_the_same_words_are_not_a_pair(store: AnnotationStore) -> None:
    with pytest.raises(InputError, match="say the same"):
        keep_vote(store, "", turn("red", "red"), 0, blind=True)
    assert store.datasets() == []


def test_a_verdict_is_one_row_that_changes_its_mind(store: AnnotationStore) -> None:
    keep_verdict(store, "", turn("red"), "good")
    keep_verdict(store, "", turn("red"), "bad")
    [item] = store.every(ItemFilter(VERDICTS))
    assert item.meta[VERDICT] == "bad" and item.meta["by"] == "ana" and item.pairs == ()
    keep_verdict(store, "", turn("red"), "good")
    [item] = store.every(ItemFilter(VERDICTS))
    assert item.meta[VERDICT] == "good"
    keep_verdict(store, "", turn("red"), None)
    assert [*store.every(ItemFilter(VERDICTS))] == []
