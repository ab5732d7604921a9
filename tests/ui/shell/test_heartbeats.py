"""Open pages hold no connection: beats keep their sessions, silence ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from studio.ui.shell import heartbeats
from studio.ui.shell.heartbeats import Heartbeats


class Sessions:
    """Stands for Gradio: says which heartbeats are open and which have broken off."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.closed: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        self.open.append(scope["path"])
        while (await receive())["type"] != "http.disconnect":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        self.open.remove(scope["path"])
        self.closed.append(scope["path"])


def scope(session: str) -> dict:
    headers = [(b"user-agent", b"Mozilla/5.0 (X11)")]
    path = f"/gradio_api/heartbeat/{session}"
    return {"type": "http", "method": "GET", "path": path, "headers": headers, "asgi": {}}


async def beat(app: Heartbeats, session: str) -> int:
    """The status a beat is answered with, at once."""
    sent = []

    async def send(message) -> None:
        sent.append(message)

    async def receive() -> dict:
        raise AssertionError("A beat has no body.")

    await app(scope(session), receive, send)
    assert not sent[-1].get("more_body")
    return sent[0]["status"]


async def until(held: Callable[[], bool]) -> None:
    while not held():
        await asyncio.sleep(0.005)


def run(play: Callable[[Heartbeats, Sessions], Awaitable[None]]) -> None:
    async def bounded() -> None:
        sessions = Sessions()
        await asyncio.wait_for(play(Heartbeats(sessions), sessions), 20)

    asyncio.run(bounded())


def test_beats_hold_one_session_open_and_silence_ends_it(monkeypatch):
    monkeypatch.setattr(heartbeats, "SILENT_SECONDS", 0.5)

    async def play(app: Heartbeats, sessions: Sessions) -> None:
        for _ in range(20):
            assert await beat(app, "mine") == 200
            await asyncio.sleep(0.04)
        assert len(sessions.open) == 1 and sessions.closed == []
        await until(lambda: sessions.closed == ["/gradio_api/heartbeat/mine"])
        assert app.pages == {}
        await beat(app, "mine")
        await until(lambda: len(sessions.open) == 1)

    run(play)


def test_more_pages_than_are_kept_end_the_one_that_was_silent_longest(monkeypatch):
    monkeypatch.setattr(heartbeats, "MOST_PAGES", 2)

    async def play(app: Heartbeats, sessions: Sessions) -> None:
        for session in ("first", "second", "first", "third"):
            await beat(app, session)
        await until(lambda: len(sessions.closed) == 1)
        assert sessions.closed == ["/gradio_api/heartbeat/second"]
        assert len(app.pages) == 2

    run(play)


@pytest.mark.parametrize(
    "change",
    [{"headers": [(b"user-agent", b"python-httpx")]}, {"method": "POST"}, {"path": "/other"}],
)
def test_anything_else_goes_through_untouched(change):
    passed = []

    async def inner(scope, receive, send) -> None:
        passed.append(scope)

    asyncio.run(Heartbeats(inner)({**scope("mine"), **change}, None, None))
    assert passed == [{**scope("mine"), **change}]
