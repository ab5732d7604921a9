"""Gold pairs, second showings and the qualification round."""

from __future__ import annotations

import pytest

from studio.annotation.labeling import assignment_queue
from studio.annotation.labeling.showings import Viewer
from studio.annotation.quality import gold
from studio.core.errors import InputError
from tests.annotation.conftest import answer, by_first, label_all, make_rows


def test_gold_is_mixed_in_for_everybody_and_scored(store):
    store.add_rows("charts", make_rows(12))
    for pair in (1, 2):
        first = min(c.id for c in store.item(pair).candidates)
        store.team.set_gold("lea", pair, "choose", first, "Look at the legend.")
    values = {"gold_share": 0.2, "gold_feedback": True, "overlap": 2, "repeat_share": 0}
    store.team.change_settings("lea", "charts", values)
    assert store.team.gold_pairs("charts") == 2
    said = []
    for name in ("ana", "ben"):
        while card := store.claim(name):
            said.append(store.save(answer(card, name, by_first(card))).feedback)
        assert store.progress(name).labelled == 10 + 2
    quality = store.team.quality("charts", resamples=10)
    assert quality.people[0].gold.value == 1
    assert quality.people[0].gold.count == 2
    assert "Right. Look at the legend." in said
    assert store.team.case(1, "lea").gold[0] == "choose"
    store.team.unset_gold("lea", 1)
    assert store.team.case(1, "lea").gold is None
    assert store.team.gold_pairs("charts") == 1
    store.team.change_settings("lea", "charts", {"overlap": 3})
    assert store.claim("cho").pair_id == 1


def test_a_pair_is_shown_again_swapped_and_does_not_count(store, monkeypatch):
    monkeypatch.setattr(gold, "is_repeated", lambda person, pair, share: pair == 1)
    store.add_rows("charts", make_rows(14))
    seen, again = [], None
    first = store.claim("ana")
    while card := store.claim("ana"):
        if card.repeat:
            again = card
            assert len(seen) == assignment_queue.BETWEEN + 1
            assert card.current is None
            event = answer(card, "ana", by_first(card), repeat=True)
            store.save(event)
            assert store.undo("ana").repeat
            card = store.claim("ana")
            assert card.repeat
        seen.append(card.pair_id)
        store.save(answer(card, "ana", by_first(card), repeat=card.repeat))
    assert again.pair_id == 1
    assert again.left.candidate_id == first.right.candidate_id
    assert store.progress("ana").labelled == 15  # to her it is one more like the others
    assert store.progress().labelled == 14
    assert len(store.history("ana", limit=200)) == 14
    assert store.team.quality("charts", 0).consistency.value == 1
    with pytest.raises(InputError, match="answered twice"):
        card = store.card(2, "ana")
        store.save(answer(card, "ana", repeat=True))


def test_answering_a_second_showing_as_a_first_one_ends_it(store, monkeypatch):
    monkeypatch.setattr(gold, "is_repeated", lambda *_: True)
    store.add_rows("charts", make_rows(30))
    answers = 0
    while card := store.claim("ana"):
        answers += 1
        store.save(answer(card, "ana"))
        assert answers <= 60
    assert store.progress("ana").labelled == 30


def test_the_share_shown_again_is_about_what_was_asked_for():
    drawn = sum(gold.is_repeated(Viewer("s", "ana"), pair, 0.05) for pair in range(4000))
    assert 140 < drawn < 260


def test_the_qualification_round_comes_first_and_can_be_failed(store):
    store.add_rows("charts", make_rows(6))
    for pair in (5, 6):
        first = min(c.id for c in store.item(pair).candidates)
        store.team.set_gold("lea", pair, "choose", first)
    assert store.team.standings("charts") == {}
    store.team.change_settings("lea", "charts", {"qualification": 2, "gold_share": 0})
    cards = store.claim_several("ana", count=2)
    assert [card.pair_id for card in cards] == [5, 6]
    assert store.team.standing("ana", None) == {"charts": "qualifying"}
    assert label_all(store, "ben", kind="tie") == 2
    assert store.team.standing("ben", "charts") == {"charts": "failed"}
    assert store.team.standings("charts") == {"ben": "failed"}
    store.team.clear("lea", "ben")
    assert store.claim("ben").pair_id == 1
    assert ("cleared", "annotator: ben") in {
        (line.action, line.what) for line in store.team.log(dataset="charts")
    }
    while (card := store.claim("ana")) and card.pair_id >= 5:
        store.save(answer(card, "ana", by_first(card)))
    card = store.claim("ana")
    assert card.pair_id < 5
    assert store.team.standings("charts") == {"ana": "passed", "ben": "let on"}


def gold_of(store, name: str) -> tuple[float | None, int]:
    figures = {one.name: one.gold for one in store.team.quality("charts", 0).people}
    return figures[name].value, figures[name].count


def test_an_answer_that_defined_the_gold_or_came_before_it_does_not_count(store, clock):
    store.add_rows("charts", make_rows(3))
    store.team.change_settings("lea", "charts", {"overlap": 3, "repeat_share": 0})
    for name, side in (("lea", "left"), ("ben", "right")):
        card = store.claim(name)
        store.save(answer(card, name, side))
    clock.now += 60
    mine = store.card(1, "lea").current
    store.team.set_gold("lea", 1, mine.kind, mine.winner_id)
    assert gold_of(store, "lea") == gold_of(store, "ben") == (None, 0)
    # Who says what is right without having answered is not asked, and answers late for nothing.
    store.team.set_gold("eve", 2, "tie", None)
    assert [card.pair_id for card in store.claim_several("eve", count=5)] == [3]
    store.save(answer(store.card(2, "eve"), "eve", kind="tie"))
    assert gold_of(store, "eve") == (None, 0)
    for pair in (1, 2):
        store.save(answer(store.card(pair, "cho"), "cho", kind="tie"))
    assert gold_of(store, "cho") == (0.5, 2)
    # Whoever corrects it later has defined it, too.
    store.team.set_gold("cho", 1, "tie", None)
    assert gold_of(store, "cho") == (1.0, 1)


def test_nobody_fails_a_round_without_an_answer_that_counts(store, clock):
    store.add_rows("charts", make_rows(4))
    first = store.claim("lea")
    store.save(answer(first, "lea"))
    clock.now += 60
    store.team.set_gold("lea", 1, "tie", None)
    store.team.change_settings("lea", "charts", {"qualification": 1, "gold_share": 0})
    assert store.team.standing("lea", None) == {}
    assert store.claim("lea").pair_id == 2
    assert store.team.standings("charts") == {"lea": "not tested"}
    store.save(answer(store.claim("ben"), "ben"))
    assert store.team.standing("ben", None) == {"charts": "failed"}
