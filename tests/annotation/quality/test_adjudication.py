"""Pairs that go to a lead, with the votes side by side, and the lead's decisions."""

from __future__ import annotations

import pytest

from studio.annotation import Span
from studio.annotation.quality.adjudication import DecisionEvent
from studio.core.errors import InputError
from tests.annotation.conftest import answer, by_first, make_rows


def test_many_skips_go_to_the_lead_who_decides(store):
    store.add_rows("charts", make_rows(1))
    for name in ("ana", "ben", "cho"):
        store.save(answer(store.claim(name), name, kind="skip", reason="blurred"))
    assert store.claim("dan") is None
    case = store.team.next_case("lea")
    assert (case.queue, [vote.reason for vote in case.votes]) == ("skipped", ["blurred"] * 3)
    winner = case.card.left.candidate_id
    event = DecisionEvent("decision-1", case.card.pair_id, "lea", "choose", winner)
    store.team.decide(event)
    store.team.decide(event)
    assert store.team.next_case("lea") is None
    assert store.team.case(case.card.pair_id, "lea").decided == ("choose", winner)
    assert [row.chosen.text for row in store.preferences("charts")] == [case.card.left.text]


def test_a_disagreement_waits_for_a_decision_and_reopening_gives_it_back(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lea", "charts", {"overlap": 2})
    ana, ben = store.claim("ana"), store.claim("ben")
    store.save(answer(ana, "ana", by_first(ana)))
    other = "right" if by_first(ben) == "left" else "left"
    store.save(answer(ben, "ben", other, comment="the axis"))
    assert store.team.queue_sizes("charts")["disagreed"] == 1
    case = store.team.next_case("lea", "charts")
    assert [vote.annotator for vote in case.votes] == ["ana", "ben"]
    assert case.votes[1].comment == "the axis"
    assert set(case.authors.values()) == {"model-a", "model-b"}
    store.team.decide(DecisionEvent("d-1", ana.pair_id, "lea", "tie"))
    store.team.decide(DecisionEvent("d-2", ana.pair_id, "lea", "reopen"))
    assert store.team.queue_sizes()["disagreed"] == 1


@pytest.mark.parametrize(
    ("kind", "winner"), [("choose", 999), ("choose", None), ("tie", 1), ("skip", None)]
)
def test_decisions_that_do_not_fit(store, kind, winner):
    store.add_rows("charts", make_rows(1))
    with pytest.raises(InputError):
        store.team.decide(DecisionEvent("d", 1, "lea", kind, winner))


def test_a_flag_calls_the_lead(store):
    store.add_rows("charts", make_rows(1))
    store.team.change_settings("lea", "charts", {"aspects": ["Faithful"]})
    card = store.claim("ana")
    span, best = Span(card.left.candidate_id, 0, 3), {"Faithful": card.left.candidate_id}
    event = answer(card, "ana", flagged=True, comment="legends", spans=(span,), aspects=best)
    store.save(event)
    case = store.team.next_case("lea")
    assert (case.queue, case.gold) == ("flagged", None)
    assert (case.votes[0].spans, case.votes[0].aspects) == ((span,), best)
