"""What is looked at in the library, as an address."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from types import SimpleNamespace
from urllib.parse import parse_qsl

from studio.annotation import ItemFilter
from studio.ui.data.page_address import NAMES, address_of, state_of
from studio.ui.data.state import LibraryState
from tests.ui.library_tab import REQUEST, imported


def test_a_look_is_an_address_and_comes_back_from_it(tab, library, source):
    imported(tab, source(3))
    tab.context.store.flag(tab.context.store.ids())
    where = ItemFilter(
        dataset="pairs", search="a&b=c d", labelled=False, flagged=True, split="train",
        length=(5, None), agreement="agree",
    )  # fmt: skip
    state = replace(LibraryState().narrowed(where, "longest"), gallery=True)
    address = dict(parse_qsl(address_of(state)))
    assert address == {
        "dataset": "pairs", "search": "a&b=c d", "labels": "Not labelled", "marks": "Flagged",
        "split": "train", "shortest": "5", "agreement": "All agree", "layout": "Gallery",
        "order": "Longest answers first",
    }  # fmt: skip
    assert state_of(address) == state
    assert set(dict(parse_qsl(address_of(state), keep_blank_values=True))) == {"dataset", *NAMES}
    visited = library.visit(LibraryState(), SimpleNamespace(query_params=address))
    assert visited["state"].where == where and visited["search"] == "a&b=c d"
    for words in ("“a&amp;b=c d”", ">Not labelled<", ">Flagged<", ">split train<",
                  ">5 characters or more<", ">All agree<"):  # fmt: skip
        assert words in visited["asked"]
    assert visited["narrowed"]["visible"] and "Table" not in visited["asked"]
    assert f'data-address="{escape(address_of(visited["state"]))}"' in visited["items"]
    strange = {"dataset": "gone", "labels": "?", "order": "x", "split": "y", "row": "1"}
    found = library.visit(LibraryState(), SimpleNamespace(query_params=strange))
    assert found["state"].where == ItemFilter() and found["drawer"]["visible"]
    assert "search" not in dict(parse_qsl(address_of(state.narrowed(ItemFilter(search="x" * 999)))))


def test_opening_the_page_is_not_undone_by_coming_to_its_tab(tab, library, source):
    imported(tab, source(2))
    assert library.come_back(LibraryState(), REQUEST) == {}
    visited = library.visit(LibraryState(), SimpleNamespace(query_params={"search": "gone"}))
    assert library.come_back(visited["state"], REQUEST)["page_line"] == "0 rows"
