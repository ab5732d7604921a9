"""How long pairs are held, and in which order a person gets back what they hold."""

from __future__ import annotations

from studio.annotation.labeling.assignment_queue import LEASE_SECONDS
from tests.annotation.conftest import answer, make_rows


def test_a_clock_set_back_holds_nobody_s_pairs(store, clock):
    store.add_rows("charts", make_rows(1))
    before = store.claim("ana")
    clock.now -= 48 * 3600
    assert store.heartbeat("ana") == 0
    assert store.claim("ben").pair_id == before.pair_id
    assert store.claim("ana") is None


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
