"""Which of two answers the votes on a pair prefer, and which pairs are left out."""

from __future__ import annotations

from collections import Counter

import pytest

from studio.annotation import ExportPolicy
from studio.annotation.export.label_policies import Verdict, decide
from studio.data.schema import Answer
from tests.annotation.conftest import answer, make_row


def test_minimum_agreement_and_annotators(voted):
    assert len(voted.preferences("charts")) == 6
    found = voted.decided_preferences("charts", ExportPolicy(minimum_agreement=0.8))
    assert (len(found.rows), found.left_out) == (3, {"low_agreement": 3})
    only = voted.preferences("charts", ExportPolicy(annotators=("cho",)))
    assert sum(one.chosen.text.startswith("blue") for one in only) == 3


def test_lengths_are_balanced_by_a_repeatable_draw(store):
    rows = [make_row(n, images=(), candidates=(Answer(f"long {n}"), Answer(str(n)))) for n in range(20)]  # fmt: skip
    store.add_rows("charts", rows)
    while card := store.claim("ana"):
        longer = "left" if card.left.text.startswith("long") else "right"
        shorter = "right" if longer == "left" else "left"
        store.save(
            answer(card, "ana", shorter if card.pair_id <= 5 else longer, repeat=card.repeat)
        )
    policy = ExportPolicy(balance_lengths=True)
    found = store.decided_preferences("charts", policy)
    assert len(found.rows) == 10
    assert sum(one.chosen.text.startswith("long") for one in found.rows) == 5
    assert found.left_out["lengths"] == 10
    assert store.decided_preferences("charts", policy).rows == found.rows


@pytest.mark.parametrize(
    ("votes", "policy", "verdict"),
    [
        ({}, {}, Verdict(reason="unlabelled")),
        ({"skip": 2}, {}, Verdict(reason="skipped")),
        ({"unsure": 1}, {}, Verdict(reason="skipped")),
        ({1: 1}, {}, Verdict(1, 1)),
        ({1: 2, 2: 1}, {}, Verdict(1, 2)),
        ({1: 1, 2: 1}, {}, Verdict(reason="tied")),
        ({1: 1, "tie": 1}, {}, Verdict(reason="tied")),
        ({1: 1, "tie": 1}, {"ties": "ignore"}, Verdict(1, 1)),
        ({1: 2, 2: 1, "both_bad": 1}, {}, Verdict(reason="tied")),
        ({1: 2, 2: 1, "both_bad": 1}, {"ties": "ignore"}, Verdict(1, 2)),
        ({"both_good": 3}, {"ties": "ignore"}, Verdict(reason="tied")),
        ({1: 1, "skip": 4}, {}, Verdict(1, 1)),
        ({1: 1}, {"minimum_votes": 2}, Verdict(reason="too_few_votes")),
        ({1: 3}, {"minimum_votes": 2}, Verdict(1, 3)),
    ],
)
def test_majority(votes, policy, verdict):
    assert decide(Counter(votes), ExportPolicy(**policy)) == verdict


def test_the_chosen_answer_is_the_one_that_was_clicked_whatever_its_side(store):
    store.add_rows("charts", [make_row(n) for n in range(30)])
    wanted = {}
    while card := store.claim("ana"):
        side = "left" if card.left.text.startswith("the red") else "right"
        store.save(answer(card, "ana", side))
        wanted[card.question] = getattr(card, side).text
    rows = store.preferences("charts")
    assert {row.question: row.chosen.text for row in rows} == wanted
    assert all(row.rejected.text.startswith("blue") for row in rows)
    assert {row.chosen.author for row in rows} == {"model-a"}


def test_an_undone_answer_is_not_exported(store):
    store.add_rows("charts", [make_row(1)])
    store.save(answer(store.claim("ana"), "ana"))
    store.undo("ana")
    assert store.preferences("charts") == []


def test_imported_preferences_only_when_asked_and_a_person_overrules_them(store):
    row = make_row(1, candidates=(), chosen=Answer("yes"), rejected=Answer("no"))
    store.add_rows("charts", [row])
    included = ExportPolicy(include_imported=True)
    assert store.preferences("charts") == []
    assert store.preferences("charts", included)[0].chosen.text == "yes"
    card = store.claim("ana")
    side = "left" if card.left.text == "no" else "right"
    store.save(answer(card, "ana", side))
    assert store.preferences("charts", included)[0].chosen.text == "no"


def test_several_pairs_of_an_item_get_ids_of_their_own(store):
    three = make_row(1, candidates=(Answer("a"), Answer("b"), Answer("c")))
    store.add_rows("charts", [three])
    while card := store.claim("ana"):
        store.save(answer(card, "ana"))
    assert len({row.external_id for row in store.preferences("charts")}) == 3
