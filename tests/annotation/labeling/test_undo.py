"""Taking answers back: what stood before stands again, and nothing of anybody else changes."""

from __future__ import annotations

from tests.annotation.conftest import answer, make_rows


def test_undo_gives_the_pair_back_any_number_of_times(store, card):
    seen = []
    for _ in range(3):
        current = store.claim("ana")
        store.save(answer(current, "ana"))
        seen.append(current.pair_id)
    undone = [store.undo("ana").pair_id for _ in range(3)]
    assert undone == seen[::-1]
    assert store.undo("ana") is None
    assert store.progress("ana").labelled == 0
    assert store.claim("ana").pair_id == seen[0]


def test_undo_of_a_replaced_answer_restores_the_first(store, card):
    store.save(answer(card, "ana", "left"))
    store.save(answer(store.card(card.pair_id, "ana"), "ana", "right"))
    assert store.undo("ana").current.winner_id == card.left.candidate_id
    assert store.undo("ana").current is None


def test_undo_with_the_same_key_is_done_once(store, card):
    for _ in range(2):
        store.save(answer(store.claim("ana"), "ana"))
    assert store.undo("ana", "undo-key-1") == store.undo("ana", "undo-key-1")
    assert store.progress("ana").labelled == 1


def test_undo_leaves_the_answers_of_others(store, card):
    store.save(answer(card, "ana"))
    store.save(answer(store.claim("ben"), "ben"))
    store.undo("ana")
    assert store.progress().labelled == 1


def test_undo_of_one_pair_leaves_later_answers(store, card):
    store.save(answer(card, "ana"))
    later = store.claim("ana")
    store.save(answer(later, "ana"))
    assert store.undo("ana", pair_id=card.pair_id).current is None
    assert store.card(later.pair_id, "ana").current is not None
    assert store.undo("ana", pair_id=card.pair_id) is None


def test_an_undo_within_a_dataset_leaves_the_answers_in_others(store):
    for dataset in ("charts", "maps"):
        store.add_rows(dataset, make_rows(1))
        store.save(answer(store.claim("ana", dataset), "ana"))
    assert store.undo("ana", dataset="charts").dataset == "charts"
    assert store.undo("ana", dataset="charts") is None
    assert store.progress("ana", "maps").labelled == 1
    assert store.undo("ana").dataset == "maps"
