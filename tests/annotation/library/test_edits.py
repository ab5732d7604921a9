"""Texts edited in place, with their history."""

from __future__ import annotations

import pytest

from studio.annotation import ItemFilter, TextChange
from studio.annotation.library.edits import editable_question
from studio.core.errors import ConflictError, InputError, NotFoundError
from studio.data.schema import Message, Part
from tests.annotation.conftest import SHA, answer, make_row


@pytest.fixture
def item(store):
    store.add_rows("charts", [make_row(1)])
    return store.browse()[0]


def change(item, text: str, candidate=None, **more) -> TextChange:
    return TextChange(item.id, candidate, more.pop("revision", item.revision), text, "ana")


def test_an_edited_answer_keeps_its_labels_its_history_and_is_found(store, item):
    card = store.claim("ana")
    store.save(answer(card, "ana"))
    first = item.candidates[0]
    edited = store.edit(change(item, "crimson bar", first.id))
    assert edited.revision == 1 and edited.candidates[0].text == "crimson bar"
    assert edited.candidates[0].length == len("crimson bar")
    (entry,) = store.edits(item.id)
    assert (entry.before, entry.after, entry.editor) == (first.text, "crimson bar", "ana")
    assert entry.candidate_id == first.id
    assert store.count(ItemFilter(search="crimson")) == 1
    assert store.count(ItemFilter(search="red")) == 0
    assert "crimson bar" in {row.chosen.text for row in store.preferences("charts")} | {
        row.rejected.text for row in store.preferences("charts")
    }


def test_importing_again_after_an_edit_adds_nothing(store, item):
    edited = store.edit(change(item, "crimson", item.candidates[0].id))
    store.edit(change(edited, "Which one?"))
    assert store.add_rows("charts", [make_row(1)]).unchanged == 1
    (again,) = store.browse()
    assert len(again.candidates) == 2 and again.question == "Which one?"


def test_the_question_keeps_its_images(store, item):
    assert editable_question(item.prompt) == "Which bar is 1?"
    edited = store.edit(change(item, "Is <image> a tag?"))
    assert [part.type for part in edited.prompt[-1].parts] == ["image", "text"]
    assert edited.question == "Is <image> a tag?"


def test_images_between_words_are_kept_by_their_tags(store):
    parts = (Part("text", "Compare "), Part("image"), Part("text", " and "), Part("image"))
    store.add_rows("two", [make_row(2, images=(SHA, SHA), prompt=(Message("user", parts),))])
    (item,) = store.browse()
    assert editable_question(item.prompt) == "Compare <image> and <image>"
    with pytest.raises(InputError, match="must be 2 <image>"):
        store.edit(change(item, "Compare <image>"))
    edited = store.edit(change(item, "First <image>, then <image>!"))
    assert [part.text for part in edited.prompt[0].parts] == ["First ", "", ", then ", "", "!"]


def test_two_who_edit_at_once_are_told(store, item):
    store.edit(change(item, "one"))
    with pytest.raises(ConflictError, match="in the meantime"):
        store.edit(change(item, "two"))
    assert store.item(item.id).question == "one"


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "x" * 100_001])
def test_unusable_texts_are_refused(store, item, text):
    with pytest.raises(InputError):
        store.edit(change(item, text, item.candidates[0].id))
    assert store.edits(item.id) == []


def test_the_same_text_is_no_edit_and_strangers_are_not_found(store, item):
    assert store.edit(change(item, item.question)).revision == 0
    with pytest.raises(NotFoundError):
        store.edit(change(item, "x", 999))
    with pytest.raises(NotFoundError):
        store.edit(TextChange(999, None, 0, "x", "ana"))
