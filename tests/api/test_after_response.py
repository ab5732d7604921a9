"""What waits for an answer is called after its last piece was sent, and never lost."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest

from studio.api.after_response import AfterResponse, after_answer
from studio.ui.data.state import PageLook

SCOPE = {"type": "http"}


def test_outside_of_a_request_nothing_is_waited_for():
    called = []
    after_answer(lambda: called.append(1))
    assert called == [1]


@pytest.mark.parametrize("broken", [False, True])
def test_it_is_called_when_the_answer_has_gone_out_or_was_given_up(broken):
    said = []

    async def app(scope, receive, send):
        await asyncio.to_thread(after_answer, lambda: said.append("after"))
        await send("start")
        if broken:
            raise ConnectionError
        await send("end")

    async def send(piece):
        said.append(piece)

    asked = AfterResponse(app)(SCOPE, None, send)
    if broken:
        with pytest.raises(ConnectionError):
            asyncio.run(asked)
    else:
        asyncio.run(asked)
    assert said == (["start", "after"] if broken else ["start", "end", "after"])


def test_what_comes_after_the_end_is_called_at_once():
    called, late = [], []

    async def app(scope, receive, send):
        async def afterwards():
            await asyncio.sleep(0)
            after_answer(lambda: called.append("late"))

        late.append(asyncio.get_running_loop().create_task(afterwards()))

    async def both():
        await AfterResponse(app)(SCOPE, None, None)
        await late[0]

    asyncio.run(both())
    assert called == ["late"]


def test_the_next_click_is_answered_after_the_answer_before_has_gone_out():
    look, order = PageLook(), []

    def click(name):
        order.append(f"answered {name}")
        return {}

    async def app(scope, receive, send):
        await asyncio.to_thread(look.answer, lambda state: click("first"))
        second = Thread(target=look.answer, args=(lambda state: click("second"),))
        second.start()
        await asyncio.to_thread(second.join, 0.2)
        await send("first")
        threads.append(second)

    async def send(piece):
        order.append(f"sent {piece}")

    threads: list[Thread] = []
    asyncio.run(AfterResponse(app)(SCOPE, None, send))
    threads[0].join(10)
    assert order == ["answered first", "sent first", "answered second"]
