"""Leases are exclusive, and lost ones go to others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from studio.annotation.labeling.assignment_queue import LEASE_SECONDS
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


def test_heartbeat_renews_and_leaving_releases(store, clock):
    store.add_rows("charts", make_rows(1))
    store.claim("ana")
    clock.now += 500
    assert store.heartbeat("ana") == 1
    clock.now += 500
    assert store.claim("ben") is None
    assert store.release("ana") == 1
    assert store.claim("ben") is not None
    assert store.heartbeat("nobody") == 0
