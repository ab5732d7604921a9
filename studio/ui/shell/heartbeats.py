"""Gradio's heartbeat without a held connection.

Gradio's page keeps one request open for as long as it is open itself; when it breaks off, the
session's state is deleted an hour later. Browsers allow six connections to one HTTP/1.1 address,
so six open pages would leave none for a save. Here a browser's heartbeat is answered at once and
the open request lives on inside the server: the page sends a beat to the same address now and
then (assets/web/shared/connection.js), and when it has been silent for `SILENT_SECONDS` the request breaks
off.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = re.compile(r"(/annotate)?/gradio_api/heartbeat/[A-Za-z0-9_-]{1,64}")
BROWSER = b"Mozilla/"  # how every browser's name begins; a program keeps its open request
# Browsers wake a hidden page once a minute; a machine that sleeps is not a page that was closed.
SILENT_SECONDS = 600.0
MOST_PAGES = 2_000
NO_STORE = {"Cache-Control": "no-store"}
# Of this version an answer that is streamed listens for the end of its request.
LISTENS = {"version": "3.0", "spec_version": "2.3"}


@dataclass
class _Page:
    """An open page: when it was heard last, and whether it is taken for closed."""

    heard: float
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def silent(self) -> None:
        """Return once the page has been silent for long, or is taken for closed."""
        while not self.closed.is_set():
            left = self.heard + SILENT_SECONDS - time.monotonic()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(self.closed.wait(), left)
            except TimeoutError:
                continue


class Heartbeats:
    """Middleware that answers a page's heartbeat at once and holds Gradio's for it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.pages: dict[str, _Page] = {}
        self._held: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_beat(scope):
            await self.app(scope, receive, send)
            return
        self._hear(scope)
        answer = Response("data: ALIVE\n\n", media_type="text/event-stream", headers=NO_STORE)
        await answer(scope, receive, send)

    def _hear(self, scope: Scope) -> None:
        path = scope["path"]
        known = self.pages.pop(path, None)
        if known is not None:
            known.heard = time.monotonic()
            self.pages[path] = known  # the longest silent page is the first
            return
        if len(self.pages) >= MOST_PAGES:
            self.pages.pop(next(iter(self.pages))).closed.set()
        self.pages[path] = page = _Page(time.monotonic())
        task = asyncio.create_task(self._hold({**scope, "asgi": LISTENS}, page))
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    async def _hold(self, scope: Scope, page: _Page) -> None:
        """Gradio's request, open until the page is silent."""
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await page.silent()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            """Nobody reads it."""

        path = scope["path"]
        try:
            await self.app(scope, receive, send)
        finally:
            if self.pages.get(path) is page:
                del self.pages[path]


def _is_beat(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    return PATH.fullmatch(scope["path"]) is not None and any(
        name == b"user-agent" and value.startswith(BROWSER) for name, value in scope["headers"]
    )
