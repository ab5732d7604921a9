"""Numbers of answers given and still to give, for one annotator and for all."""

from __future__ import annotations

from tests.annotation.conftest import answer, label_all, make_rows


def test_progress_counts_today_and_the_median(store, card, clock):
    for milliseconds in (1000, 9000, 4000):
        store.save(answer(store.claim("ana"), "ana", elapsed_ms=milliseconds))
    found = store.progress("ana", "charts")
    assert (found.labelled, found.total, found.waiting, found.today) == (3, 4, 1, 3)
    assert found.median_seconds == 4.0
    clock.now += 2 * 86_400
    assert store.progress("ana").today == 0
    assert store.progress("nobody").labelled == 0


def test_nothing_waits_for_somebody_who_failed_the_qualification(store):
    store.add_rows("charts", make_rows(6))
    store.add_rows("more", make_rows(2))
    for pair in (5, 6):
        store.team.set_gold("lea", pair, "choose", store.item(pair).candidates[0].id)
    store.team.change_settings("lea", "more", {"repeat_share": 0})
    store.team.change_settings("lea", "charts", {"qualification": 2, "gold_share": 0})
    assert store.progress("ben", "charts").waiting > 0
    assert label_all(store, "ben", kind="tie") == 4  # both gold pairs, and all of the other dataset
    for at_end in (False, True):
        found = store.progress("ben", "charts", at_end=at_end)
        assert (found.labelled, found.waiting) == (2, 0)
        assert store.progress("ben", at_end=at_end).waiting == 0
    assert store.progress("ben", "charts", at_end=True).elsewhere == 4
    store.team.clear("lea", "ben")
    assert store.progress("ben", "charts", at_end=True).waiting == 4
