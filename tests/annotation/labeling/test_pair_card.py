"""The card of a pair: blind, stable, and with all that its annotator answered."""

from __future__ import annotations

import pytest

from studio.annotation import Span
from tests.annotation.conftest import answer, make_rows


def test_authors_are_told_after_the_answer_where_the_lead_wants_it_and_that_is_kept(store):
    store.add_rows("charts", make_rows(1))
    card = store.claim("ana")
    store.save(answer(card, "ana"))
    assert store.card(card.pair_id, "ana").authors == ()
    store.team.change_settings("lea", "charts", {"show_authors": True, "repeat_share": 1})
    assert store.card(card.pair_id, "ben").authors == ()
    told = store.card(card.pair_id, "ana")
    wrote = {one.id: one.author for one in store.item(1).candidates}
    assert told.authors == (wrote[told.left.candidate_id], wrote[told.right.candidate_id])
    store.save(answer(told, "ana", kind="tie"))
    assert store.team.case(card.pair_id, "lea").votes[0].informed
    assert [line.action for line in store.team.log(who="ana")] == ["tie (authors seen)", "choose"]
    store.undo("ana")
    assert store.card(card.pair_id, "ana").current.kind == "choose"


def test_the_card_is_blind_and_stable(store):
    store.add_rows("charts", make_rows(20))
    cards = store.claim_several("ana", count=20)
    assert "model-a" not in repr(cards)
    assert cards == store.claim_several("ana", count=20)
    lefts = {card.left.text.startswith("the red") for card in cards}
    assert lefts == {True, False}


@pytest.fixture
def card(store):
    store.add_rows("charts", make_rows(2))
    return store.claim("ana")


def test_marks_aspects_and_comment_come_back_with_the_card(store, card):
    store.team.change_settings("lea", "charts", {"aspects": ["Faithful"]})
    span = Span(card.right.candidate_id, 0, 4)
    store.save(
        answer(
            card, "ana", strength="slightly", spans=(span,), comment="off by one", flagged=True,
            aspects={"Faithful": card.left.candidate_id},
        )
    )  # fmt: skip
    current = store.card(card.pair_id, "ana").current
    assert (current.strength, current.comment, current.flagged) == ("slightly", "off by one", True)
    assert current.spans == (span,)
    assert current.aspects == {"Faithful": card.left.candidate_id}
