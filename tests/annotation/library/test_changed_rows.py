"""Rows that are there under their id with another content: named, and done with as decided."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text

from studio.annotation import AddReport, ItemFilter, LabelEvent, TextChange
from studio.annotation.library.row_identity import text_hash
from studio.annotation.library.trainable_rows import parse_library, trainable_rows
from studio.core.errors import DataError
from studio.data.schema import ACCEPTED, VERDICT, Answer, Message, Part
from tests.annotation.conftest import make_row, make_rows


def asked(number: int, question: str = "Which?", **changes):
    """A row with a reference answer alone."""
    prompt = (Message("user", (Part("image"), Part("text", question))),)
    values = {"candidates": (), "completion": Answer("the red"), "prompt": prompt}
    return make_row(number, **{**values, **changes})


def preferred(number: int, chosen: str = "yes", rejected: str = "no", **changes):
    values = {"candidates": (), "chosen": Answer(chosen), "rejected": Answer(rejected)}
    return make_row(number, **{**values, **changes})


def bring(store, *rows, on_change="ask", source="/data/new.jsonl"):
    with store.importing("charts", source=source, on_change=on_change) as batch:
        batch.add_rows(rows)
    return batch


def trained(store, method="sft"):
    found = trainable_rows(store, parse_library("library:charts"), method)
    return found.splits.get("train", [])


def only(store):
    (item,) = store.browse(ItemFilter(dataset="charts"))
    return item


def vote(store, item, winner: str, who: str = "ana"):
    pair = item.pairs[0]
    number = next(c.id for c in item.candidates if c.text == winner)
    store.save(LabelEvent(uuid.uuid4().hex, pair.id, who, "choose", number))


CHANGES = [
    (asked(1), asked(1, completion=Answer("the blue")), "reference answer"),
    (asked(1), asked(1, "Which one?"), "question"),
    (asked(1), asked(1, images=("cd" * 32,)), "images"),
    (preferred(1), preferred(1, "no", "yes"), "preference"),
    (preferred(1), preferred(1, "yes!"), "chosen answer"),
    (preferred(1), preferred(1, rejected="no!"), "rejected answer"),
    (asked(1, meta={VERDICT: "good"}),
     asked(1, completion=None, candidates=(Answer("the red"),), meta={VERDICT: "bad"}), "verdict"),
    (asked(1, meta={ACCEPTED: ["red"]}), asked(1, meta={ACCEPTED: ["red", "blue"]}),
     "accepted answers"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "what"), CHANGES, ids=[c[2] for c in CHANGES])
def test_a_changed_row_is_named_and_nothing_of_it_comes_in_until_decided(
    store, first, second, what
):
    store.add_rows("charts", [first])
    before = only(store)
    batch = bring(store, second, make_row(7))
    (changed,) = batch.changed
    assert (changed.external_id, changed.what) == ("row-1", (what,))
    assert changed.changes[0].before != changed.changes[0].after
    assert batch.report == AddReport(added=1, changed=1)
    assert store.item(before.id) == before
    assert bring(store, second, on_change="keep").report.changed == 1
    assert store.item(before.id) == before


@pytest.mark.parametrize(("first", "second", "what"), CHANGES, ids=[c[2] for c in CHANGES])
@pytest.mark.parametrize("decision", ["update", "new"])
def test_what_was_decided_is_done_once(store, first, second, what, decision):
    store.add_rows("charts", [first])
    assert bring(store, second, on_change=decision).report.changed == 1
    for again in ("ask", "update", "new"):
        batch = bring(store, second, on_change=again)
        assert batch.report == AddReport(unchanged=1) and not batch.changed
    if decision == "new":
        assert bring(store, first).report == AddReport(unchanged=1)
        assert [item.external_id for item in store.browse()] == ["row-1", "row-1~2"]
    else:
        assert len(bring(store, first).changed) == 1  # the old file is another one now


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


def test_what_a_person_edited_is_still_the_same_row(store):
    rows = [asked(1), preferred(2)]
    store.add_rows("charts", rows)
    first, second = store.browse()
    store.edit(TextChange(first.id, None, 0, "Which of them?", "ben"))
    store.edit(TextChange(first.id, first.candidates[0].id, 1, "the very red", "ben"))
    store.edit(TextChange(second.id, second.candidates[0].id, 0, "oh yes", "ben"))
    assert bring(store, *rows).report == AddReport(unchanged=2)
    assert len(store.item(second.id).candidates) == 2
    # The source was corrected in the same words.
    same = asked(1, "Which of them?", completion=Answer("the very red"))
    assert bring(store, same, preferred(2, "oh yes")).report == AddReport(unchanged=2)
    assert [len(item.candidates) for item in store.browse()] == [1, 2]


def test_an_update_replaces_what_a_person_edited_and_says_so(store):
    store.add_rows("charts", [asked(1)])
    item = only(store)
    store.edit(TextChange(item.id, item.candidates[0].id, 0, "the very red", "ben"))
    bring(store, asked(1, completion=Answer("the blue")), on_change="update")
    assert [e.before for e in store.edits(item.id)] == ["the very red", "the red"]
    assert trained(store)[0].completion.text == "the blue"


def test_new_answers_of_other_models_are_no_change(store):
    store.add_rows("charts", [asked(1), preferred(2)])
    more = [
        asked(1, completion=None, candidates=(Answer("x", "m1"), Answer("y", "m2"))),
        preferred(2, chosen=Answer("better", "m3").text, rejected="worse"),
    ]
    assert bring(store, *more).report == AddReport(extended=2)
    other = preferred(2, "yes")
    other = make_row(2, candidates=(), chosen=Answer("yes"), rejected=Answer("nah", "m4"))
    assert bring(store, other).report == AddReport(extended=1)


def test_an_answer_that_becomes_the_reference_is_one(store):
    store.add_rows("charts", [asked(1, completion=None, candidates=(Answer("the red"),))])
    assert trained(store) == []
    assert bring(store, asked(1)).report == AddReport(extended=1)
    assert trained(store)[0].completion.text == "the red"


def test_a_reference_under_another_author_is_the_same(store):
    store.add_rows("charts", [asked(1)])
    assert bring(store, asked(1, completion=Answer("the red", "gpt"))).report == AddReport(
        unchanged=1
    )
    assert len(only(store).candidates) == 1


def test_a_correction_an_earlier_version_took_for_another_answer_is_seen(store):
    store.add_rows("charts", [asked(1)])
    with store._database.write() as connection:  # as it was written then
        connection.execute(
            text(
                "INSERT INTO candidates (item_id, text, text_hash, author, length, reference, "
                "created_at, batch) SELECT item_id, 'the blue', :hash, '', 8, true, 0, 99 "
                "FROM candidates"
            ),
            {"hash": text_hash("the blue")},
        )
    corrected = asked(1, completion=Answer("the blue"))
    assert [row.what for row in bring(store, corrected).changed] == [("reference answer",)]


def test_other_fields_alone_are_counted_and_updated_when_asked(store):
    store.add_rows("charts", [asked(1, meta={"topic": "bars", "page": 3})])
    other = asked(1, meta={"topic": "lines"})
    batch = bring(store, other)
    assert batch.report == AddReport(unchanged=1, metadata=1) and not batch.changed
    assert only(store).meta == {"topic": "bars", "page": 3}
    assert bring(store, other, on_change="update").report.metadata == 1
    assert only(store).meta == {"topic": "lines", "page": 3}
    assert bring(store, other).report == AddReport(unchanged=1)


def test_two_rows_of_one_source_with_one_id_are_two_rows(store):
    rows = [asked(1), asked(1, "Which one?"), asked(1, "And which?")]
    assert bring(store, *rows).report == AddReport(added=3)
    assert [item.external_id for item in store.browse()] == ["row-1", "row-1~2", "row-1~3"]
    assert bring(store, *rows).report == AddReport(unchanged=3)


def test_an_id_of_very_many_rows_is_refused(store):
    rows = [asked(1, f"Which of {n}?") for n in range(101)]
    with pytest.raises(DataError, match="different rows have the id 'row-1'"):
        bring(store, *rows)
    assert store.count() == 0


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


def test_long_texts_are_shown_where_they_differ(store):
    long = "word " * 300
    store.add_rows("charts", [asked(1, completion=Answer(f"{long}one"))])
    (changed,) = bring(store, asked(1, completion=Answer(f"{long}two"))).changed
    (change,) = changed.changes
    assert change.before.endswith("one") and change.after.endswith("two")
    assert len(change.before) < 400


def test_a_killed_update_s_search_is_finished_by_the_next_import(store):
    store.add_rows("charts", [asked(1)])
    batch = bring(store, asked(1, completion=Answer("the violet")), on_change="update")
    with store._database.write() as connection:  # as if killed right after publishing
        connection.execute(text("UPDATE items SET search = 'old'"))
        state = "UPDATE import_batches SET state = 'published' WHERE id = :id"
        connection.execute(text(state), {"id": batch.number})
    store.add_rows("other", [make_row(5)])
    assert store.count(ItemFilter(search="violet")) == 1


def test_an_answer_edited_into_another_one_is_not_taken_for_it(store):
    store.add_rows("charts", [preferred(1)])
    item = only(store)
    yes, no = item.candidates
    store.edit(TextChange(item.id, yes.id, 0, "no", "ben"))
    assert bring(store, preferred(1)).report == AddReport(unchanged=1)
    assert [c.id for c in only(store).candidates] == [yes.id, no.id]
