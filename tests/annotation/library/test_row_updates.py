"""An update replaces what is there, with history, and leaves what people judged."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from studio.annotation import ItemFilter, LabelEvent, TextChange
from studio.data.schema import VERDICT, Answer, Message, Part
from tests.annotation.conftest import make_row, make_rows
from tests.annotation.library.repeated_rows import (
    asked,
    bring,
    only,
    preferred,
    trained,
    vote,
)


def test_a_corrected_answer_is_trained_and_the_old_one_is_history(store):
    store.add_rows("charts", [asked(1)])
    bring(store, asked(1, completion=Answer("the blue")), on_change="update")
    (row,) = trained(store)
    assert row.completion.text == "the blue"
    item = only(store)
    assert [c.text for c in item.candidates] == ["the blue"] and item.revision == 1
    (edit,) = store.edits(item.id)
    assert (edit.before, edit.after) == ("the red", "the blue")
    assert edit.editor == "import new.jsonl" and edit.candidate_id == item.candidates[0].id
    assert store.count(ItemFilter(search="blue")) == 1 and not store.count(ItemFilter(search="red"))


def test_a_corrected_question_and_image_replace_with_history(store):
    store.add_rows("charts", [asked(1)])
    bring(store, asked(1, "Which one?", images=("cd" * 32,)), on_change="update")
    item = only(store)
    assert item.question == "Which one?" and item.images == ("cd" * 32,)
    (edit,) = store.edits(item.id)
    assert (edit.before, edit.after, edit.candidate_id) == ("Which?", "Which one?", None)
    assert store.count(ItemFilter(search="one")) == 1 and not item.flagged


def test_a_preference_turned_round_is_trained_the_new_way(store):
    store.add_rows("charts", [preferred(1)])
    bring(store, preferred(1, "no", "yes"), on_change="update")
    (row,) = trained(store, "dpo")
    assert (row.chosen.text, row.rejected.text) == ("no", "yes")
    assert len(only(store).candidates) == 2


def test_a_corrected_side_nobody_saw_is_replaced_where_it_is(store):
    store.add_rows("charts", [preferred(1)])
    bring(store, preferred(1, "yes!"), on_change="update")
    (row,) = trained(store, "dpo")
    assert (row.chosen.text, row.rejected.text) == ("yes!", "no")
    assert len(only(store).candidates) == 2 and len(only(store).pairs) == 1


def test_labels_stay_with_the_answers_that_people_saw(store):
    store.add_rows("charts", [preferred(1)])
    vote(store, only(store), "no")
    batch = bring(store, preferred(1, "yes!"), on_change="update")
    item = only(store)
    old, new = item.pairs
    texts = {c.id: c.text for c in item.candidates}
    assert {texts[old.first_id], texts[old.second_id]} == {"yes", "no"}
    assert (old.votes, texts[old.winner_id], texts[old.source_choice_id]) == (1, "no", "yes")
    assert texts[new.source_choice_id] == "yes!" and new.votes == 0
    assert batch.judged == 1


def test_a_labelled_row_with_another_question_is_flagged(store):
    store.add_rows("charts", [make_row(1)])
    vote(store, only(store), "blue 1")
    other = make_row(1, prompt=(Message("user", (Part("image"), Part("text", "Least?"))),))
    batch = bring(store, other, on_change="update")
    item = only(store)
    assert item.flagged and item.labels == 1 and item.question == "Least?" and batch.judged == 1


def test_a_pair_in_somebody_s_hands_keeps_its_answers(store):
    store.add_rows("charts", [preferred(1)])
    card = store.claim("ana")
    bring(store, preferred(1, "yes!"), on_change="update")
    side = next(s for s in (card.left, card.right) if s.text == "yes")
    event = LabelEvent("late", card.pair_id, "ana", "choose", side.candidate_id)
    store.save(event)
    item = only(store)
    texts = {c.id: c.text for c in item.candidates}
    held = next(pair for pair in item.pairs if pair.id == card.pair_id)
    assert {texts[held.first_id], texts[held.second_id]} == {"yes", "no"}
    assert texts[held.winner_id] == "yes" and held.source_choice_id is None


def test_a_reference_that_is_in_a_labelled_pair_moves(store):
    both = asked(1, chosen=Answer("the red"), rejected=Answer("no"))
    store.add_rows("charts", [both])
    vote(store, only(store), "the red")
    bring(store, asked(1, completion=Answer("the blue")), on_change="update")
    item = only(store)
    assert [c.text for c in item.candidates if c.reference] == ["the blue"]
    assert "the red" in [c.text for c in item.candidates]


def test_a_bad_verdict_is_trained_no_more(store):
    store.add_rows("charts", [asked(1, meta={VERDICT: "good"})])
    bad = asked(1, completion=None, candidates=(Answer("the red"),), meta={VERDICT: "bad"})
    bring(store, bad, on_change="update")
    assert trained(store) == [] and only(store).meta == {VERDICT: "bad"}
    bring(store, asked(1, meta={VERDICT: "good"}), on_change="update")
    assert [row.completion.text for row in trained(store)] == ["the red"]


def test_an_update_replaces_what_a_person_edited_and_says_so(store):
    store.add_rows("charts", [asked(1)])
    item = only(store)
    store.edit(TextChange(item.id, item.candidates[0].id, 0, "the very red", "ben"))
    bring(store, asked(1, completion=Answer("the blue")), on_change="update")
    assert [e.before for e in store.edits(item.id)] == ["the very red", "the red"]
    assert trained(store)[0].completion.text == "the blue"


def test_changes_appear_with_the_rest_or_not_at_all(store):
    store.add_rows("charts", [asked(1), *make_rows(3)[2:]])
    before = store.browse()
    changed = [asked(1, "Other?", completion=Answer("the blue")), asked(9)]
    with (
        pytest.raises(ValueError, match="no more"),
        store.importing("charts", on_change="update") as batch,
    ):
        batch.add_rows(changed)
        batch.settle()
        raise ValueError("no more")
    assert store.browse() == before
    with store.importing("charts", on_change="update") as batch:
        batch.add_rows(changed)
        batch.settle()
        assert store.browse() == before
    assert store.browse()[0].question == "Other?"


def test_a_run_sees_that_the_dataset_is_another_one(store):
    store.add_rows("charts", [asked(1)])
    before = store.trainable_state("charts")
    bring(store, asked(1, images=("cd" * 32,)), on_change="update")
    assert store.trainable_state("charts") != before


def test_a_killed_update_s_search_is_finished_by_the_next_import(store):
    store.add_rows("charts", [asked(1)])
    batch = bring(store, asked(1, completion=Answer("the violet")), on_change="update")
    with store._database.write() as connection:  # as if killed right after publishing
        connection.execute(text("UPDATE items SET search = 'old'"))
        state = "UPDATE import_batches SET state = 'published' WHERE id = :id"
        connection.execute(text(state), {"id": batch.number})
    store.add_rows("other", [make_row(5)])
    assert store.count(ItemFilter(search="violet")) == 1
