"""The library's handlers with real stores: pages, filters, selections, actions."""

from __future__ import annotations

from dataclasses import replace

from studio.annotation import ItemFilter
from studio.ui.data.page_address import address_of
from studio.ui.data.state import PAGE, LibraryState, read_page
from tests.ui.data.click_event import event
from tests.ui.library_tab import REQUEST, imported

NO_FILTER = ("", "Any labels", "All rows", "Oldest first", "Table", "", "", "", "", "", "", "")


def test_pages_turn_and_filters_start_over(tab, source):
    imported(tab, source(PAGE + 5))
    store, state = tab.context.store, LibraryState()
    first = read_page(store, state)
    assert (first.first, first.last, first.total) == (1, PAGE, PAGE + 5)
    second_state = state.on(first).next()
    second = read_page(store, second_state)
    assert (second.first, second.last) == (PAGE + 1, PAGE + 5)
    last = second_state.on(second)
    assert last.next() == last
    assert second_state.previous().starts == state.starts
    narrowed = second_state.narrowed(ItemFilter(search="many? 13"))
    assert [item.question for item in read_page(store, narrowed).items] == ["How many? 13"]
    assert read_page(store, state.narrowed(ItemFilter(labelled=True))).total == 0


def test_a_search_that_finds_very_much_is_not_counted_to_the_end(tab, library, source, monkeypatch):
    monkeypatch.setattr("studio.ui.data.state.COUNTED", PAGE)
    monkeypatch.setattr("studio.ui.data.library.COUNTED", PAGE)
    imported(tab, source(2 * PAGE + 5))
    shown = library.rows(LibraryState(ItemFilter(search="many")))
    assert shown["page_line"] == "1–20 of more than 20" and shown["next"]["interactive"]
    last = library.forward(library.forward(shown["state"], REQUEST)["state"], REQUEST)
    assert last["page_line"] == "41–45 of more than 20" and not last["next"]["interactive"]
    ticked = library.select_everything(last["state"])
    assert "All rows that match" in ticked["bulk_line"]
    assert len(ticked["state"].chosen(tab.context.store)) == 2 * PAGE + 5


def test_leaving_the_search_box_changes_nothing(tab, library, source):
    imported(tab, source(12))
    state = library.open(LibraryState(), REQUEST)["state"]
    assert library.narrow(state, *NO_FILTER) == {}
    narrowed = library.narrow(state, "11", *NO_FILTER[1:])
    assert narrowed["page_line"] == "1–1 of 1"
    assert library.narrow(narrowed["state"], " 11 ", *NO_FILTER[1:]) == {}
    wide = library.narrow(state, *NO_FILTER[:4], "Gallery", *NO_FILTER[5:])
    assert "library-gallery" in wide["items"]


def test_the_fields_always_say_what_is_shown(tab, library, source):
    imported(tab, source(3))
    tab.context.store.tag(tab.context.store.ids(), "odd")
    state = library.open(LibraryState(), REQUEST)["state"]
    narrowed = library.narrow(state, "2", *NO_FILTER[1:4], "Gallery", "", "", "odd", *NO_FILTER[8:])
    picked = library.pick(narrowed["state"], event(dataset="pairs"), REQUEST)
    assert picked["page_line"] == "1–3 of 3" and picked["search"] == ""
    assert picked["view"] == "Gallery" and picked["tag"]["value"] == ""
    everything = replace(narrowed["state"], everything=True)
    untagged = library.tag(everything, "odd", False, REQUEST)
    assert untagged["state"].where.tag is None, "nothing has it any more"
    assert untagged["tag"]["choices"] == [("Any tag", "")] and untagged["search"] == "2"


def test_a_check_and_a_model_are_for_the_dataset_looked_at(tab, library, source):
    imported(tab, source(1))
    (dataset,) = tab.context.store.datasets()
    shown = library.open(LibraryState().of(dataset.name), REQUEST)
    checked, written = shown["checked"], shown["written"]
    assert checked["value"] == written["value"] == dataset.name
    assert checked is not written, "Gradio empties an update that it has sent"


def test_ticked_rows_are_acted_on(tab, library, source):
    imported(tab, source(PAGE + 2))
    store = tab.context.store
    state = library.open(LibraryState(), REQUEST)["state"]
    first = store.ids()[0]
    state = library.pick(state, event(tick=str(first), on=True), REQUEST)["state"]
    acted = library.act("exclude", state, REQUEST)
    assert store.item(first).excluded and "excluded" in acted["items"]
    state = library.pick(acted["state"], event(tick="page", on=True), REQUEST)["state"]
    assert len(state.selected) == PAGE
    everything = library.select_everything(state)
    assert f"{PAGE + 2} rows selected" in everything["bulk_line"]
    assert list(library.tag(everything["state"], " ", True, REQUEST)) == ["trouble"]
    state = library.tag(everything["state"], "odd", True, REQUEST)["state"]
    assert store.count(ItemFilter(tag="odd")) == PAGE + 2
    deleted = library.act("delete", state, REQUEST)
    assert store.count() == 0 and not deleted["bulk"]["visible"]
    assert f"{PAGE + 2} rows are in the bin" in deleted["binned_line"]
    assert "no rows left" in deleted["items"] and "Undo brings back" in deleted["items"]
    assert "Loosen" not in deleted["items"]
    found = library.open(LibraryState(ItemFilter(search="nowhere")), REQUEST)
    assert "Loosen the search" in found["items"]
    undone = library.undo_delete(deleted["state"], REQUEST)
    assert store.count() == PAGE + 2 and not undone["binned"]["visible"]
    library.act("delete", replace(undone["state"], everything=True), REQUEST)
    binned = LibraryState(ItemFilter(deleted=True), everything=True)
    library.act("restore", binned, REQUEST)
    assert store.count() == PAGE + 2


def test_ticks_that_come_in_another_order_are_all_shown(tab, library, source):
    imported(tab, source(3))
    first, second, _ = tab.context.store.ids()
    state = library.open(LibraryState(), REQUEST)["state"]
    for number, item in ((2, second), (1, first)):
        tick = event(tick=str(item), on=True, number=number)
        shown = library.pick(state, tick, REQUEST)
        state = shown["state"]
    assert state.selected == {first, second}
    assert 'data-ticks="2"' in shown["items"] and shown["items"].count(" checked") == 2


def test_a_page_whose_rows_are_gone_gives_way_to_the_one_before(tab, library, source):
    imported(tab, source(PAGE + 2))
    state = library.open(LibraryState(), REQUEST)["state"]
    state = library.forward(state, REQUEST)["state"]
    state = library.pick(state, event(tick="page", on=True), REQUEST)["state"]
    deleted = library.act("delete", state, REQUEST)
    assert deleted["page_line"] == f"1–{PAGE} of {PAGE}"
    assert not deleted["next"]["interactive"] and not deleted["previous"]["interactive"]


def test_the_rows_of_a_finding_are_shown_until_the_filters_are_cleared(tab, library, source):
    imported(tab, source(5))
    ids = tuple(tab.context.store.ids()[1:3])
    shown = library.rows_of(LibraryState(), (("pairs", "Near duplicates", ids), 1), REQUEST)
    assert shown["page_line"] == "1–2 of 2" and "Only: Near duplicates" in shown["asked"]
    tab.context.store.exclude(ids)
    again = library.rows_of(shown["state"], (None, 2), REQUEST)
    assert again["page_line"] == "1–2 of 2" and again["items"].count("excluded") == 2
    assert library.rows_of(shown["state"], None, REQUEST) == {}
    assert address_of(again["state"]) == address_of(LibraryState().of("pairs"))
    cleared = library.clear(shown["state"], REQUEST)
    assert cleared["page_line"] == "1–5 of 5" and not cleared["narrowed"]["visible"]
