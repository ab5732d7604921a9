"""The store: whole imports, and whole batches of rows."""

from __future__ import annotations

import pytest

from studio.annotation import ItemFilter
from tests.annotation.conftest import make_row, make_rows


def test_a_batch_that_fails_half_way_leaves_nothing(store):
    def rows():
        yield make_row(1)
        raise ValueError("the file ends here")

    with pytest.raises(ValueError, match="ends here"), store.importing("charts") as batch:
        batch.add_rows(rows())
    assert store.datasets() == []


def test_annotators_go_on_while_rows_are_gathered(store):
    store.add_rows("charts", make_rows(1))
    with store.importing("more") as batch:
        batch.add(make_row(2))
        assert store.claim("ana") is not None
    assert batch.report.added == 1


def test_all_items_come_a_page_at_a_time(store, monkeypatch):
    monkeypatch.setattr("studio.annotation.store.PAGE", 2)
    store.add_rows("charts", make_rows(5))
    store.add_rows("other", make_rows(2))
    asked = []
    browse = store.browse
    monkeypatch.setattr(
        store, "browse", lambda *given, **how: asked.append(how) or browse(*given, **how)
    )
    items = list(store.every(ItemFilter(dataset="charts")))
    assert [item.external_id for item in items] == [row.external_id for row in make_rows(5)]
    assert [how["after"] for how in asked] == [None, items[1].id, items[3].id, items[4].id]


def test_a_page_is_found_with_the_number_of_all(store):
    store.add_rows("charts", make_rows(5))
    items, number = store.find(ItemFilter(dataset="charts"), limit=2)
    assert (len(items), number) == (2, 5)
    assert store.find(ItemFilter(dataset="charts"), limit=2, most=3)[1] == 3
