"""A served studio, and the browser that drives it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from studio.ui.app import TABS, build_app
from studio.ui.context import StudioContext
from studio.ui.server import configuration


@contextmanager
def served(context: StudioContext, names: tuple[str, ...] = tuple(TABS)) -> Iterator[str]:
    """Serves the studio on a free port for as long as the block runs; gives its address.

    Args:
        names: The tabs of its page; a page with few is loaded sooner.
    """
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        config = configuration(build_app(context, names), log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
        server.should_exit = True
        thread.join(30)


@contextmanager
def launched(chromium: str) -> Iterator[Browser]:
    """A headless browser that asks nobody outside."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, seconds: float) -> Iterator[Page]:
    """The studio's page, waited for up to `seconds` a step; a script's error fails the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(1000 * seconds)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".studio-header")
    yield page
    assert problems == []
