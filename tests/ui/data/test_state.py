"""What is clicked on one page of the library is answered in turn."""

from __future__ import annotations

from copy import deepcopy
from threading import Event, Thread

from studio.ui.data.state import LibraryState, PageLook


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
