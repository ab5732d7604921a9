"""One row of the library in full."""

from __future__ import annotations

from types import SimpleNamespace

from studio.annotation.library.blinding import veiled
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.data.item_view import detail
from studio.ui.data.state import LibraryState
from tests.ui.data.click_event import event
from tests.ui.library_tab import REQUEST, imported


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


def test_an_answer_tells_how_a_model_wrote_it_unless_its_pair_waits(tab):
    how = {"model": "<b>tiny</b>", "temperature": 0.9, "top_p": 1.0, "seed": 3, "at": 0}
    prompt = (Message("user", (Part("text", "Which?"),)),)
    answers = (Answer("red", "run-a", 2, how), Answer("blue", "run-b", 1, how))
    tab.context.store.add_rows("charts", [Row("1", (), prompt, candidates=answers)])
    (item,) = tab.context.store.browse()
    shown = detail(item, [])
    assert "2 tokens · model &lt;b&gt;tiny&lt;/b&gt; · temperature 0.9" in shown
    hidden = detail(veiled(item, tab.context.store.team.viewer("ana")), [])
    assert "tiny" not in hidden and "temperature" not in hidden and "tokens" not in hidden
