"""Pages and orders of items."""

from __future__ import annotations

import pytest

from studio.annotation import ItemFilter
from studio.core.errors import NotFoundError
from studio.data.schema import Answer
from tests.annotation.conftest import make_row, make_rows


def test_pages_go_through_all_items_once(store):
    store.add_rows("charts", make_rows(7))
    seen, after = [], None
    while page := store.browse(ItemFilter(dataset="charts"), after=after, limit=3):
        seen += [item.external_id for item in page]
        after = page[-1].id
    assert seen == [row.external_id for row in make_rows(7)]


def test_an_item_keeps_its_prompt(store):
    store.add_rows("charts", [make_row(1, meta={"page": 3})])
    found = store.item(store.browse()[0].id)
    assert found.prompt == make_row(1).prompt
    assert found.meta == {"page": 3}
    with pytest.raises(NotFoundError):
        store.item(999)


def test_orders_and_their_pages(store):
    texts = {1: "long answer", 2: "a", 3: "mid one", 4: "mid two"}
    rows = [make_row(n, candidates=(Answer(text), Answer("b"))) for n, text in texts.items()]
    store.add_rows("charts", rows)
    expected = {
        "oldest": [1, 2, 3, 4],
        "newest": [4, 3, 2, 1],
        "shortest": [2, 3, 4, 1],
        "longest": [1, 4, 3, 2],
    }
    for order, numbers in expected.items():
        seen, after = [], None
        while page := store.browse(order=order, after=after, limit=1):
            seen.append(page[0].external_id)
            after = page[0].id
        assert seen == [f"row-{number}" for number in numbers], order
