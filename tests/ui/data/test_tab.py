"""The library's looks and handlers, with real stores and no browser."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from html import escape
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest
from fastapi.testclient import TestClient

from studio.annotation import ItemFilter, LabelEvent
from studio.annotation.library.sources import preview_source
from studio.api.context import close_context, open_context
from studio.core.errors import InputError
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.data import views as look
from studio.ui.data.item_view import detail
from studio.ui.data.page_address import NAMES, address_of, state_of
from studio.ui.data.rows_view import gallery, named_answers, table
from studio.ui.data.state import PAGE, LibraryState, filter_of, read_page
from studio.ui.shared.text_differences import differences
from studio.ui.shell.app import build_app
from tests.ui.library_tab import FIELDS, HOSTILE, REQUEST, imported, opened_tab, write_pairs

NO_FILTER = ("", "Any labels", "All rows", "Oldest first", "Table", "", "", "", "", "", "", "")


@pytest.fixture
def tab(tmp_path):
    with opened_tab(tmp_path) as opened:
        yield opened


@pytest.fixture
def library(tab):
    return tab.library


@pytest.fixture
def source(tmp_path):
    """Writes pairs and bad rows; returns the path."""
    return partial(write_pairs, tmp_path)


def event(**data) -> SimpleNamespace:
    return SimpleNamespace(_data=data)


def test_no_two_parts_of_the_tab_have_the_same_id(tmp_path):
    opened = open_context(str(tmp_path / "studio"))
    with TestClient(build_app(opened), base_url="http://127.0.0.1:7860") as client:
        parts = client.get("/config").json()["components"]
    close_context(opened)
    names = [str(part["props"].get("elem_id")) for part in parts]
    mine = [name for name in names if name.startswith(("data-", "check-"))]
    assert len(mine) > 30 and sorted(mine) == sorted(set(mine))


def test_an_empty_library_offers_the_sample(tab, library):
    shown = library.open(LibraryState(), REQUEST)
    assert shown["nothing"]["visible"] and not shown["library"]["visible"]
    assert "No datasets yet" in shown["datasets"]
    going, refused = tab.form.add_sample(REQUEST)
    assert "Importing" in going and not refused
    done = tab.form.importer.wait(120)
    assert done.report.dataset == "sample pairs" and done.report.added > 0


def test_nothing_from_outside_is_markup_or_template(tab, source):
    imported(tab, source(2, HOSTILE))
    store = tab.context.store
    store.tag(store.ids(), "<b>tag</b>{{x}}")
    (first, _) = store.browse()
    for html in (
        table([first], None, frozenset()),
        gallery([first], None, frozenset()),
        detail(first, store.edits(first.id)),
        look.preview(preview_source(source(2, HOSTILE), tab.context.workspace,
                                    columns={"question": "ask"})),
        look.dataset_list(store.datasets(), None),
        tab.form.preview(REQUEST, HOSTILE, "", 0, "", False, {}, *FIELDS)[0],
    ):  # fmt: skip
        assert "<img src=x" not in html and "<b>tag" not in html
        assert "${" not in html and "{{" not in html


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


def test_the_fields_become_a_filter():
    where = filter_of(
        LibraryState().of("charts"), " red ", "Labelled", "In the bin",
        ("test", "a.jsonl", "odd", "ben", "Disputed"), ("5", "many"),
    )  # fmt: skip
    assert where == ItemFilter(
        dataset="charts", search="red", labelled=True, deleted=True, split="test",
        source="a.jsonl", tag="odd", labelled_by="ben", agreement="disagree", length=(5, None),
    )  # fmt: skip


@pytest.mark.parametrize(("typed", "bound"), [(None, None), ("", None), (" 7 ", 7), ("-1", None)])
def test_a_bound_that_was_never_typed_is_none(typed, bound):
    where = filter_of(LibraryState(), "", "", "", ("",) * 5, (typed, None))
    assert where.length == (bound, None)


def test_a_row_opens_by_click_and_by_address_and_closes(tab, library, source):
    imported(tab, source(2))
    (item, _) = tab.context.store.browse()
    picked = library.pick(LibraryState(), event(item=str(item.id)), REQUEST)
    assert picked["drawer"]["visible"] and "How many? 0" in picked["item"]
    linked = library.visit(LibraryState(), SimpleNamespace(query_params={"row": str(item.id)}))
    assert linked["item"] == picked["item"] and f'href="?row={item.id}"' in linked["item"]
    assert not library.close(linked["state"])["drawer"]["visible"]
    gone = library.visit(LibraryState(), SimpleNamespace(query_params={"row": "999"}))
    assert not gone["drawer"]["visible"] and "There is no item 999" in gone["trouble"]


def test_pairs_that_wait_are_blind_until_a_lead_reveals_them(tab, library, source):
    imported(tab, source(12))
    items = tab.context.store.browse()
    opened = library.visit(LibraryState(), SimpleNamespace(query_params={"row": str(items[0].id)}))
    names = ("Chosen", "Rejected", 'class="chosen"', 'class="rejected"', "answer-card chosen")
    shown = opened["items"] + opened["item"]
    assert not [name for name in names if name in shown] and "Answer 1" in opened["item"]
    assert "<dt>note</dt>" not in opened["item"]
    order = [escaped_first(opened["items"], number) for number in range(12)]
    assert {True, False} == set(order)
    for candidate in items[0].candidates:
        assert f'data-candidate="{candidate.id}"' not in opened["item"]
    revealed = library.pick(opened["state"], event(reveal="pairs"), REQUEST)
    assert "<th>Chosen</th>" in revealed["items"] and "answer-card chosen" in revealed["item"]
    again = library.open(LibraryState(), REQUEST)
    assert "<th>Chosen</th>" in again["items"]
    hidden = library.pick(again["state"], event(veil="pairs"), REQUEST)
    assert "Chosen" not in hidden["items"]
    log = [(line.who, line.action, line.dataset) for line in tab.context.store.team.log()]
    assert log[:2] == [("ana", "veiled again", "pairs"), ("ana", "revealed", "pairs")]


def escaped_first(shown: str, number: int) -> bool:
    """Whether the rejected answer of a row stands before the chosen one."""
    row = shown.split("<tr ")[number + 1]
    return row.index(f"no {number}") < row.index("onerror")


def test_a_veiled_answer_is_edited_by_its_handle(tab, library, source):
    imported(tab, source(1))
    (item,) = tab.context.store.browse()
    chosen = next(one for one in item.candidates if one.text == "no 0")
    handle = tab.context.store.team.viewer("ana").handle(chosen.id)
    state = library.open(LibraryState(item=item.id), REQUEST)["state"]
    sent = {"item": str(item.id), "revision": "0", "candidate": str(handle), "text": "not at all",
            "veiled": True}  # fmt: skip
    edited = library.edit(state, event(**sent), REQUEST)
    assert "not at all" in edited["item"] and "Rejected" not in edited["item"]
    assert "not at all" in {one.text for one in tab.context.store.item(item.id).candidates}


def test_answers_are_named_by_what_people_chose(tab):
    asked = Row("r", (), (Message("user", (Part("text", "Which?"),)),),
                candidates=(Answer("left"), Answer("right")))  # fmt: skip
    store = tab.context.store
    store.add_rows("texts", [asked])
    before = table(store.browse(), None, frozenset())
    assert '<th colspan="2">Answers</th>' in before and "Chosen" not in before
    card = store.claim("ana")
    right = card.left if card.left.text == "right" else card.right
    store.save(LabelEvent("k", card.pair_id, "ana", "choose", right.candidate_id))
    (item,) = store.browse()
    assert [(one.word, one.candidate.text) for one in named_answers(item)] == [
        ("Chosen", "right"), ("Rejected", "left")]  # fmt: skip
    named = table([item], None, frozenset())
    assert "<th>Chosen</th><th>Rejected</th>" in named and 'data-word="Rejected"' in named
    store.save(LabelEvent("l", card.pair_id, "ben", "tie"))
    assert [one.word for one in named_answers(store.browse()[0])] == ["Answer", "Answer"]


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


def test_the_open_row_is_marked_where_it_stands_open(tab, library, source):
    imported(tab, source(2))
    (item, _) = tab.context.store.browse()
    state = library.pick(LibraryState(), event(item=str(item.id)), REQUEST)["state"]
    for action, back, seen in (
        ("flag", "unflag", "flagged"), ("exclude", "include", "excluded"),
        ("delete", "restore", "in the bin"),
    ):  # fmt: skip
        for act, there in ((action, True), (back, False)):
            changed = library.act_on_open(state, event(act=act, item=str(item.id)), REQUEST)
            assert changed["drawer"]["visible"] and (seen in changed["item"]) == there
            assert f'data-act="{back if there else action}"' in changed["item"]
            state = changed["state"]
    log = [line.action for line in tab.context.store.team.log()]
    assert log[:2] == ["restore rows", "delete rows"] and len(log) == 7
    assert library.act_on_open(state, event(act="drop", item="1"), REQUEST) == {}


def test_a_page_whose_rows_are_gone_gives_way_to_the_one_before(tab, library, source):
    imported(tab, source(PAGE + 2))
    state = library.open(LibraryState(), REQUEST)["state"]
    state = library.forward(state, REQUEST)["state"]
    state = library.pick(state, event(tick="page", on=True), REQUEST)["state"]
    deleted = library.act("delete", state, REQUEST)
    assert deleted["page_line"] == f"1–{PAGE} of {PAGE}"
    assert not deleted["next"]["interactive"] and not deleted["previous"]["interactive"]


def test_texts_are_edited_with_history_and_conflicts_keep_what_was_typed(tab, library, source):
    imported(tab, source(1))
    (item,) = tab.context.store.browse()
    state = LibraryState(item=item.id)
    sent = {"item": str(item.id), "revision": "0", "candidate": "", "text": "How few?"}
    edited = library.edit(state, event(**sent), REQUEST)
    assert "How few?" in edited["items"] and "History · 1 edit" in edited["item"]
    assert "ana" in edited["item"]
    refused = library.edit(state, event(**sent), REQUEST)
    assert list(refused) == ["problem"] and "in the meantime" in refused["problem"]
    assert tab.context.store.item(item.id).question == "How few?"


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


def test_annotators_see_and_import_nothing(tab, library, source):
    tab.context.lead = False
    with pytest.raises(InputError):
        library.open(LibraryState(), REQUEST)
    with pytest.raises(InputError):
        library.act("delete", LibraryState(), REQUEST)
    going, refused = tab.form.start(REQUEST, source(1), "", 0, "", False, {}, *FIELDS)
    assert not going and "Only leads" in refused
    assert tab.form.importer.status.state == "idle"


@pytest.mark.parametrize(
    ("one", "two", "marked"),
    [
        ("the red bar", "the blue bar", ("the <mark>red</mark> bar", "the <mark>blue</mark> bar")),
        ("a b", "a b c", ("a b", "a b <mark>c</mark>")),
        ("same", "same", ("same", "same")),
        ("all", "different", ("all", "different")),
        ("<b> x", "x", ("<mark>&lt;b&gt;</mark> x", "x")),
        ("", "x", ("", "x")),
        ("x " * 2000, "y " * 2000, ("x " * 2000, "y " * 2000)),
    ],
)
def test_differences_word_by_word(one, two, marked):
    assert differences(one, two) == marked
