"""The rows of the library as a table and as a gallery."""

from __future__ import annotations

from types import SimpleNamespace

from studio.annotation import LabelEvent
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.data.rows_view import named_answers, table
from studio.ui.data.state import LibraryState
from tests.ui.data.click_event import event
from tests.ui.library_tab import REQUEST, imported


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
