"""Pages, search and counts."""

from __future__ import annotations

import pytest

from studio.data.schema import Answer
from studio.errors import NotFoundError

from .conftest import answer, make_row, make_rows


def test_pages_go_through_all_items_once(store):
    store.add_rows("charts", make_rows(7))
    seen, after = [], 0
    while page := store.browse("charts", after=after, limit=3):
        seen += [item.external_id for item in page]
        after = page[-1].id
    assert seen == [row.external_id for row in make_rows(7)]


def test_search_finds_words_in_question_and_answers_and_takes_them_literally(store):
    percent = make_row(1, candidates=(Answer("Grew 50% in May"), Answer("it fell")))
    store.add_rows("charts", [percent, make_row(2), make_row(3)])
    assert [item.external_id for item in store.browse(search="may grew")] == ["row-1"]
    assert store.count(search="50%") == 1
    assert store.count(search="%") == 1
    assert store.count(search="_") == 0
    assert store.count(search="BAR") == 3


def test_filter_by_labelled_and_dataset(store):
    store.add_rows("charts", make_rows(3))
    store.add_rows("other", make_rows(2))
    store.save(answer(store.claim("ana", "charts"), "ana"))
    assert store.count("charts", labelled=True) == 1
    assert store.count("charts", labelled=False) == 2
    assert store.count("other", labelled=True) == 0
    assert store.count() == 5
    assert store.browse("charts", labelled=True)[0].labels == 1


def test_an_item_keeps_its_prompt(store):
    store.add_rows("charts", [make_row(1, meta={"page": 3})])
    found = store.item(store.browse()[0].id)
    assert found.prompt == make_row(1).prompt
    assert found.meta == {"page": 3}
    with pytest.raises(NotFoundError):
        store.item(999)
