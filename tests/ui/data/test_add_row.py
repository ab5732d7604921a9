"""Adding one row by hand."""

from __future__ import annotations

from studio.annotation import ItemFilter
from studio.ui.data.state import LibraryState
from tests.ui.library_tab import REQUEST


def test_a_row_added_by_hand(tab, source, tmp_path):
    source(1)
    image = str(tmp_path / "a.png")
    state = LibraryState()
    refused = tab.add_row(state, [image], "Why?", "", "", "worse", REQUEST)
    assert list(refused) == ["add_result"] and "better answer is empty" in refused["add_result"]
    same = tab.add_row(state, [image], "Why?", "", "same", "same ", REQUEST)
    assert "say the same" in same["add_result"] and tab.context.store.datasets() == []
    broken = tmp_path / "b.png"
    broken.write_bytes(b"no image")
    assert (
        "not a PNG" in tab.add_row(state, [str(broken)], "Why?", "", "a", "", REQUEST)["add_result"]
    )
    added = tab.add_row(state, [image], "Why?", "", "better", "worse", REQUEST)
    (line, *_) = tab.context.store.team.log()
    assert (line.who, line.action, line.dataset) == ("ana", "add a row", "by hand")
    (item,) = tab.context.store.browse(ItemFilter(dataset="by hand"))
    assert added["state"].item == item.id and added["add_question"] == ""
    assert len(item.images) == 1 and len(item.pairs) == 1
    assert {candidate.author for candidate in item.candidates} == {"ana"}
