"""The library does not tell what pairs that wait must not tell."""

from __future__ import annotations

from studio.annotation.library.blinding import REVEALED, VEILED, veiled
from studio.annotation.quality.adjudication import DecisionEvent
from studio.data.schema import Answer
from tests.annotation.conftest import answer, make_row


def preferences(count: int) -> list:
    return [
        make_row(n, candidates=(), chosen=Answer(f"good {n}", "gpt"), rejected=Answer(f"bad {n}"),
                 meta={"score_chosen": 5})
        for n in range(count)
    ]  # fmt: skip


def test_a_waiting_item_is_shuffled_and_says_nothing_of_its_source(store):
    store.add_rows("charts", preferences(40))
    person = store.team.viewer("lea")
    items = store.browse()
    assert all(item.waits for item in items)
    seen = [veiled(item, person) for item in items]
    assert "gpt" not in repr(seen) and "score_chosen" not in repr(seen)
    first = [item.candidates[0].text.startswith("good") for item in seen]
    assert 8 < sum(first) < 32
    lower = [min(item.candidates, key=lambda one: one.id).text.startswith("good") for item in seen]
    assert 8 < sum(lower) < 32
    assert all(pair.preferred_id is None for item in seen for pair in item.pairs)
    assert seen == [veiled(item, person) for item in store.browse()]


def test_it_waits_until_it_is_judged_and_decided(store):
    store.add_rows("charts", preferences(1))
    store.team.change_settings("lea", "charts", {"overlap": 2})
    for name in ("ana", "ben"):
        card = store.claim(name)
        good = "left" if card.left.text.startswith("good") else "right"
        other = {"left": "right", "right": "left"}[good]
        store.save(answer(card, name, good if name == "ana" else other))
        assert store.browse()[0].waits
    store.team.decide(DecisionEvent("d-1", card.pair_id, "lea", "tie"))
    assert not store.browse()[0].waits


def test_an_answer_of_whoever_had_it_revealed_is_marked(store):
    store.add_rows("charts", preferences(2))
    store.add_rows("photos", preferences(1))
    store.team.note("lea", REVEALED, "charts", {})
    for name, dataset in (("lea", "charts"), ("ana", "charts"), ("lea", "photos")):
        store.save(answer(store.claim(name, dataset), name))
    votes = [vote for pair in (1, 2, 3) for vote in store.team.case(pair, "eve").votes]
    assert [(vote.annotator, vote.informed) for vote in votes] == [
        ("lea", True), ("ana", False), ("lea", False),
    ]  # fmt: skip
    assert "choose (authors seen)" in {line.action for line in store.team.log(who="lea")}


def test_what_was_revealed_is_known_of_one_lead_and_taken_back(store):
    store.team.note("lea", REVEALED, "charts", {})
    assert store.team.revealed("lea") == {"charts"}
    assert store.team.revealed("eve") == frozenset()
    store.team.note("lea", VEILED, "charts", {})
    assert store.team.revealed("lea") == frozenset()
