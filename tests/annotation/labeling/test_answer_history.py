"""The past answers of an annotator, in pages, newest first."""

from __future__ import annotations

from tests.annotation.conftest import answer, make_rows


def test_history_pages_backwards(store, card):
    for _ in range(4):
        store.save(answer(store.claim("ana"), "ana", "right"))
    newest = store.history("ana", limit=3)
    older = store.history("ana", before=newest[-1].label_id)
    ids = [entry.label_id for entry in newest + older]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 4
    assert newest[0].winner


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
