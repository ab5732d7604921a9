"""Leases are exclusive, sides are blind, fair and stable."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from studio.annotation.labeling.assignment_queue import LEASE_SECONDS
from studio.annotation.labeling.showings import Viewer
from tests.annotation.conftest import answer, make_rows


def test_the_same_pair_until_it_is_answered(store):
    store.add_rows("charts", make_rows(3))
    first = store.claim("ana")
    assert store.claim("ana") == first
    store.save(answer(first, "ana"))
    assert store.claim("ana").pair_id != first.pair_id


def test_two_people_never_hold_the_same_pair(store):
    store.add_rows("charts", make_rows(3))
    ana = {card.pair_id for card in store.claim_several("ana", count=2)}
    ben = {card.pair_id for card in store.claim_several("ben", count=2)}
    assert len(ana) == 2
    assert len(ben) == 1
    assert not ana & ben


def test_an_absent_colleague_blocks_nobody(store, clock):
    store.add_rows("charts", make_rows(1))
    pair = store.claim("ana").pair_id
    assert store.claim("ben") is None
    clock.now += LEASE_SECONDS + 1
    assert store.claim("ben").pair_id == pair


def test_a_clock_set_back_holds_nobody_s_pairs(store, clock):
    store.add_rows("charts", make_rows(1))
    before = store.claim("ana")
    clock.now -= 48 * 3600
    assert store.heartbeat("ana") == 0
    assert store.claim("ben").pair_id == before.pair_id
    assert store.claim("ana") is None


def test_answers_keep_their_order_when_the_clock_is_set_back(store, clock):
    store.add_rows("charts", make_rows(3))
    saved = []
    for _ in range(3):
        card = store.claim("ana")
        store.save(answer(card, "ana"))
        saved.append(card.pair_id)
        clock.now -= 48 * 3600
    assert [entry.pair_id for entry in store.history("ana")] == saved[::-1]
    assert store.undo("ana").pair_id == saved[-1]


def test_a_lease_lasts_three_times_the_median_for_each_pair_held_ahead(store, clock):
    store.add_rows("charts", make_rows(9))
    for _ in range(5):
        store.save(answer(store.claim("ana"), "ana", elapsed_ms=20_000))
    held = store.claim("ana").pair_id
    clock.now += 3 * 3 * 20 - 1
    assert held not in [card.pair_id for card in store.claim_several("ben", count=5)]
    clock.now += 2
    assert store.claim("cem").pair_id == held


def test_coming_back_renews_the_lease(store, clock):
    store.add_rows("charts", make_rows(1))
    pair = store.claim("ana").pair_id
    for _ in range(4):
        clock.now += 0.7 * LEASE_SECONDS
        assert store.claim("ana").pair_id == pair
        assert store.claim("ben") is None


def test_a_late_answer_of_somebody_whose_lease_ran_out_is_kept(store, clock):
    store.add_rows("charts", make_rows(1))
    late = store.claim("ana")
    clock.now += LEASE_SECONDS + 1
    store.save(answer(store.claim("ben"), "ben"))
    store.save(answer(late, "ana"))
    assert store.browse()[0].labels == 2


def test_skipped_goes_to_somebody_else_but_not_back(store):
    store.add_rows("charts", make_rows(1))
    skipped = store.claim("ana")
    store.save(answer(skipped, "ana", kind="skip", reason="blurred"))
    assert store.claim("ana") is None
    assert store.claim("ben").pair_id == skipped.pair_id


def test_threads_claim_each_pair_once(store):
    store.add_rows("charts", make_rows(48))

    def work(name: str) -> list[int]:
        done = []
        while card := store.claim(name):
            store.save(answer(card, name, repeat=card.repeat))
            if not card.repeat:
                done.append(card.pair_id)
        return done

    with ThreadPoolExecutor(6) as pool:
        lists = pool.map(work, [f"person-{n}" for n in range(6)])
        done = [pair for pairs in lists for pair in pairs]
    assert len(done) == 48
    assert len(set(done)) == 48


def test_a_dataset_can_be_chosen(store):
    store.add_rows("charts", make_rows(1))
    store.add_rows("photos", make_rows(1))
    assert store.claim("ana", "photos").dataset == "photos"
    assert store.claim("ben", "nothing") is None


def test_sides_are_fair_and_differ_between_people():
    ana = [Viewer("s", "ana").left_is_first(pair) for pair in range(2000)]
    ben = [Viewer("s", "ben").left_is_first(pair) for pair in range(2000)]
    assert 900 < sum(ana) < 1100
    assert 900 < sum(one == two for one, two in zip(ana, ben, strict=True)) < 1100


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
