"""A served studio, and the browser that drives it.

Every test that is served ends in the same: what a page was told is saved lies on the disk under the
right name, no traceback was logged, and no deleted file of the database is held open. `conftest`
looks after each test, `served` when it ends.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.requests import Request

from studio.annotation.labeling.showings import Viewer
from studio.api.context import StudioContext
from studio.api.server import configuration
from studio.ui.shell.app import TABS, build_app
from tests.open_files import deleted_files, read_elsewhere

SAVE = "/studio/annotate/save"
TRACEBACK = "Traceback (most recent call last)"
LABELS = (
    "SELECT l.key, a.name, l.pair_id, l.repeat FROM labels l "
    "JOIN annotators a ON a.id = l.annotator_id"
)
SECRET = "SELECT value FROM secrets WHERE name = 'showings'"
SETTLED_SECONDS = 30.0
LIVE: list[Watched] = []
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    # Gradio's front end makes much that is soon garbage: with room for it a page costs a tenth less.
    "--js-flags=--min-semi-space-size=64",
)


@dataclass
class Watched:
    """A served application: what it told pages is saved, and what went wrong inside.

    Attributes:
        app: The application.
        told: Key, name and pair, by the name its page has for it, of each answer whose save was
            answered with 200.
        problems: Tracebacks that were logged or written to standard error.
    """

    context: StudioContext
    app: Any
    told: list[tuple[str, str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    under_way: int = 0

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].endswith(SAVE):
            return await self.app(scope, receive, send)
        body, status = bytearray(), 0

        async def heard() -> dict:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def sent(message: dict) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        self.under_way += 1
        try:
            await self.app(scope, heard, sent)
        finally:
            if status == 200:
                asked = json.loads(bytes(body))
                user = self.context.user(Request(scope))
                self.told.append((asked["key"], user, asked["pair_id"]))
            self.under_way -= 1

    def check(self) -> None:
        """Fail unless what was told is so; then begin anew."""
        until = time.monotonic() + SETTLED_SECONDS
        while self.under_way and time.monotonic() < until:
            time.sleep(0.02)
        told, self.told = self.told, []
        problems = self.problems[:]
        self.problems.clear()
        assert problems == []
        database = self.context.workspace.database
        assert deleted_files(str(database)) == []
        if told:
            ((secret,),) = read_elsewhere(database, SECRET)
            stored = [
                (key, name, Viewer(secret, name).handle(pair, bool(repeat)))
                for key, name, pair, repeat in read_elsewhere(database, LABELS)
            ]
            assert [one for one in told if stored.count(one) != 1] == []


class _Tracebacks(logging.Handler):
    """Keeps log records that carry a traceback."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__()
        self.problems = problems

    def emit(self, record: logging.LogRecord) -> None:
        said = self.format(record)
        if TRACEBACK in said:
            self.problems.append(said)


class _Tee:
    """Standard error, of which tracebacks are also kept."""

    def __init__(self, stream: Any, problems: list[str]) -> None:
        self._stream, self._problems = stream, problems

    def write(self, text: str) -> int:
        if TRACEBACK in text:
            self._problems.append("")
        if self._problems:  # one is written line by line
            self._problems[-1] += text
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def watched(context: StudioContext, app: Any) -> Iterator[Watched]:
    """Looks at an application for as long as the block runs, and checks it at the end."""
    found = Watched(context, app)
    handler = _Tracebacks(found.problems)
    handler.setLevel(logging.WARNING)  # what people can mend themselves is logged below that
    loggers = [logging.getLogger(name) for name in ("", "uvicorn")]
    for logger in loggers:
        logger.addHandler(handler)
    usual, sys.stderr = sys.stderr, _Tee(sys.stderr, found.problems)
    LIVE.append(found)
    try:
        yield found
        found.check()
    finally:
        LIVE.remove(found)
        sys.stderr = usual
        for logger in loggers:
            logger.removeHandler(handler)


@contextmanager
def served(context: StudioContext, names: tuple[str, ...] = tuple(TABS)) -> Iterator[str]:
    """Serves the studio on a free port for as long as the block runs; gives its address.

    Args:
        names: The tabs of its page; a page with few is loaded sooner.
    """
    with restartable(context, names) as studio:
        yield studio.address


@contextmanager
def restartable(context: StudioContext, names: tuple[str, ...]) -> Iterator[Restartable]:
    """`served`, and restarted whenever the block asks for it."""
    with watched(context, build_app(context, names)) as app:
        studio = Restartable(app, names)
        studio.start()
        yield studio
        app.check()
        studio.stop()


@dataclass
class Restartable:
    """A served studio that can be ended and started anew at the same address."""

    watched: Watched
    names: tuple[str, ...]
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        config = configuration(self.watched, log_level="error")
        self.server = uvicorn.Server(config)
        run = {"target": self.server.run, "kwargs": {"sockets": [bound]}, "daemon": True}
        self.thread = threading.Thread(**run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)

    def stop(self) -> None:
        before = [(watched, watched.problems[:]) for watched in LIVE if watched is not self.watched]
        self.server.should_exit = True
        self.thread.join(30)
        # Streams that the end cut off are no problem of this studio, nor of one beside it.
        self.watched.problems.clear()
        for watched, problems in before:
            watched.problems[:] = problems

    def restart(self) -> None:
        """Put one in its place that knows nothing of the pages which are open."""
        self.server.force_exit = True
        self.stop()
        self.watched.app = build_app(self.watched.context, self.names)
        self.start()


@contextmanager
def launched(chromium: str) -> Iterator[Browser]:
    """A headless browser that asks nobody outside."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=FLAGS,
        )
        yield browser
        browser.close()


@contextmanager
def opened(window: BrowserContext, address: str, seconds: float) -> Iterator[Page]:
    """The studio's page, waited for up to `seconds` a step; a script's error fails the test."""
    page = window.new_page()
    page.set_default_timeout(1000 * seconds)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".studio-header")
    try:
        yield page
        assert problems == []
    finally:
        page.close()  # the server ends when nobody listens to it
