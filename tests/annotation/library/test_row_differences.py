"""What differs between a row and the item with its id, and what does not."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from studio.annotation import AddReport, TextChange
from studio.annotation.library.row_identity import text_hash
from studio.data.schema import Answer
from tests.annotation.conftest import make_row
from tests.annotation.library.repeated_rows import (
    CHANGES,
    asked,
    bring,
    only,
    preferred,
    trained,
)


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


def test_long_texts_are_shown_where_they_differ(store):
    long = "word " * 300
    store.add_rows("charts", [asked(1, completion=Answer(f"{long}one"))])
    (changed,) = bring(store, asked(1, completion=Answer(f"{long}two"))).changed
    (change,) = changed.changes
    assert change.before.endswith("one") and change.after.endswith("two")
    assert len(change.before) < 400


def test_an_answer_edited_into_another_one_is_not_taken_for_it(store):
    store.add_rows("charts", [preferred(1)])
    item = only(store)
    yes, no = item.candidates
    store.edit(TextChange(item.id, yes.id, 0, "no", "ben"))
    assert bring(store, preferred(1)).report == AddReport(unchanged=1)
    assert [c.id for c in only(store).candidates] == [yes.id, no.id]
