"""What is clicked on one page of the library is answered in turn."""

from __future__ import annotations

from copy import deepcopy
from threading import Event, Thread

import pytest

from studio.annotation import ItemFilter
from studio.ui.data.state import LibraryState, PageLook, filter_of


def test_coming_back_slowly_does_not_undo_the_click_that_follows():
    look, begun, go_on = PageLook(), Event(), Event()
    look.answer(lambda state: {"state": state.of("second")})

    def come_back(state: LibraryState) -> dict:
        begun.set()
        assert go_on.wait(10)
        return {"state": state, "shown": state.where.dataset}

    shown = []
    slow = Thread(target=lambda: shown.append(look.answer(come_back)))
    slow.start()
    assert begun.wait(10)
    click = Thread(
        target=lambda: shown.append(look.answer(lambda state: {"state": state.of(None)}))
    )
    click.start()
    go_on.set()
    slow.join(10)
    click.join(10)
    assert shown == [{"shown": "second"}, {}]
    assert look.state == LibraryState().of(None)


def test_each_page_has_a_look_of_its_own():
    look = PageLook()
    look.answer(lambda state: {"state": state.of("charts")})
    assert deepcopy(look).state == LibraryState()


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
