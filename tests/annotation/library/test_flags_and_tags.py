"""Flags, exclusion, tags and the bin: found by filters, honoured by claims and exports."""

from __future__ import annotations

import pytest

from studio.annotation import ExportPolicy, ItemFilter
from studio.core.errors import InputError, NotFoundError
from tests.annotation.conftest import answer, make_rows


@pytest.fixture
def ids(store) -> list[int]:
    store.add_rows("charts", make_rows(4))
    return store.ids()


def found(store, **where) -> list[int]:
    return store.ids(ItemFilter(**where))


def test_excluded_rows_are_neither_labelled_nor_exported_until_let_in_again(store, ids):
    store.save(answer(store.claim("ana"), "ana"))
    assert store.exclude(ids[:3]) == 3
    assert found(store, excluded=True) == ids[:3] and found(store, excluded=False) == ids[3:]
    assert [card.pair_id for card in store.claim_several("ana", count=9)] == [
        pair.id for pair in store.item(ids[3]).pairs
    ]
    decided = store.decided_preferences("charts", ExportPolicy())
    assert decided.rows == [] and decided.left_out == {"excluded": 3, "unlabelled": 1}
    (dataset,) = store.datasets()
    assert (dataset.items, dataset.pairs, dataset.waiting) == (4, 1, 1)
    store.exclude(ids, False)
    assert len(store.preferences("charts")) == 1
    assert store.datasets()[0].waiting == 3


def test_a_held_pair_is_given_up_when_its_row_is_excluded(store, ids):
    held = store.claim("ana")
    store.exclude(ids[:1])
    assert store.claim("ana").pair_id != held.pair_id


def test_deleted_rows_are_in_the_bin_and_come_back_with_their_labels(store, ids):
    card = store.claim("ana")
    store.save(answer(card, "ana"))
    assert store.delete(ids[:2]) == 2 and store.delete(ids[:2]) == 0
    assert found(store) == ids[2:] and found(store, deleted=True) == ids[:2]
    assert store.item(ids[0]).deleted
    assert store.preferences("charts") == []
    assert store.add_rows("charts", make_rows(4)).unchanged == 4
    assert found(store) == ids[2:]
    assert store.restore(ids[:2]) == 2
    assert len(store.preferences("charts")) == 1 and found(store) == ids


def test_excluded_rows_stay_hidden_when_they_come_back_from_the_bin(store, ids):
    store.exclude(ids[:1])
    store.delete(ids[:1])
    store.restore(ids[:1])
    assert len(store.claim_several("ana", count=9)) == 3


def test_a_late_answer_to_an_excluded_pair_is_kept_but_not_offered(store, ids):
    card = store.claim("ana")
    store.exclude(ids)
    assert store.save(answer(card, "ana")).version == 1
    assert store.claim("ben") is None


def test_flags_and_tags_in_bulk(store, ids):
    assert store.flag(ids[1:3]) == 2
    assert found(store, flagged=True) == ids[1:3]
    store.flag(ids[1:2], False)
    assert found(store, flagged=True) == ids[2:3]
    assert store.tag(ids[:2], "  near   duplicate ") == 2
    assert store.tag(ids[:3], "near duplicate") == 1
    assert found(store, tag="near duplicate") == ids[:3]
    assert store.item(ids[0]).tags == ("near duplicate",)
    assert store.facets().tags == ("near duplicate",)
    assert store.untag(ids[:1], "near duplicate") == 1
    assert found(store, tag="near duplicate") == ids[1:3]


@pytest.mark.parametrize("tag", ["", "  ", "x" * 61, "a\0b"])
def test_unusable_tags_are_refused(store, ids, tag):
    with pytest.raises(InputError, match="cannot be a tag"):
        store.tag(ids, tag)


def test_rows_that_are_not_there_change_nothing(store, ids):
    assert store.exclude([999]) == 0 and store.tag([999], "x") == 0
    with pytest.raises(NotFoundError):
        store.item(999)
