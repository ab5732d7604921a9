"""Items as training would get them: what people prefer outweighs what the source did."""

from __future__ import annotations

import pytest

from studio.annotation.library.preflight_rows import library_rows, row_of
from studio.core.errors import NotFoundError
from studio.data.schema import VERDICT, Answer
from tests.annotation.conftest import answer, make_row


def entries(store, dataset: str = "charts"):
    return [
        (entry.number, entry.split, entry.row) for entry in library_rows(store, dataset).entries()
    ]


def test_votes_outweigh_the_source_and_a_tie_takes_the_preference_away(store):
    good, bad = Answer("good"), Answer("bad")
    store.add_rows(
        "charts", [make_row(n, candidates=(), chosen=good, rejected=bad) for n in range(3)]
    )
    for kind in ("choose", "tie"):
        card = store.claim("ana")
        side = "left" if card.left.text == "bad" else "right"
        store.save(answer(card, "ana", side, kind=kind))
    voted, tied, untouched = (row for _, _, row in entries(store))
    assert (voted.chosen.text, voted.rejected.text) == ("bad", "good")
    assert tied.chosen is None and len(tied.candidates) == 2
    assert (untouched.chosen.text, untouched.rejected.text) == ("good", "bad")


def test_excluded_and_deleted_items_are_left_out_and_splits_are_kept(store):
    with store.importing("charts", split="held") as batch:
        batch.add_rows(make_row(n) for n in range(4))
    first, second, *kept = store.ids()
    store.exclude([first])
    store.delete([second])
    assert [(number, split) for number, split, _ in entries(store)] == [
        (one, "held") for one in kept
    ]
    assert library_rows(store, "charts").total == 2


def test_half_a_pair_is_a_chosen_answer_without_a_rejected_one(store):
    pair = {"candidates": (), "chosen": Answer("same")}
    halves = (Answer("same"), Answer("other"))
    store.add_rows("charts", [make_row(n, **pair, rejected=one) for n, one in enumerate(halves)])
    half, whole = (row for _, _, row in entries(store))
    assert (half.chosen, half.rejected, half.candidates) == (Answer("same"), None, ())
    assert whole.rejected == Answer("other")


def test_a_reference_is_the_answer_to_be_learned(store):
    store.add_rows("charts", [make_row(1, candidates=(), completion=Answer("42", "ana"))])
    (item,) = store.browse()
    assert row_of(item, {}).completion == Answer("42", "ana")


def test_a_dataset_that_is_not_there_is_named(store):
    with pytest.raises(NotFoundError, match="no dataset 'none' in the library"):
        library_rows(store, "none")


def test_a_bad_answer_alone_is_not_half_a_preference(store):
    bad = make_row(1, candidates=(Answer("wrong"),), meta={VERDICT: "bad"})
    store.add_rows("charts", [bad, make_row(2)])
    (_, _, row), _ = entries(store)
    assert row.chosen is None and row.completion is None
