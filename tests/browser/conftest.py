"""One browser for all journeys, with one set of cookies and one cache.

Most of what a page costs is Gradio's front end. A browser that has it already shows a page for a
third less of the processor; so the journeys share one, and each finds it as it was when it was new.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from studio.api.context import close_context, open_context
from tests.browser.annotate_steps import Site, put_back, remembered
from tests.ui.conftest import chromium, told_is_kept
from tests.ui.serving import launched, served

__all__ = ["chromium", "told_is_kept"]
WINDOW = {"width": 1280, "height": 800}


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    with launched(chromium) as started:
        yield started


@pytest.fixture(scope="package")
def shared_window(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport=WINDOW)


@contextmanager
def emptied(window: BrowserContext) -> Iterator[None]:
    """At the end of the block, everything but the window's cache goes."""
    yield
    window.set_offline(False)
    for page in window.pages:
        page.close()
    empty = window.new_page()
    session = window.new_cdp_session(empty)
    session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    empty.close()


@pytest.fixture
def window(shared_window: BrowserContext) -> Iterator[BrowserContext]:
    """The browser with its cookies and what it keeps."""
    with emptied(shared_window):
        yield shared_window


@pytest.fixture
def page(window: BrowserContext) -> Page:
    """A page of the window that writes down the errors of its scripts."""
    opened = window.new_page()
    opened.errors = []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    return opened


@pytest.fixture(scope="package")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, sqlite3.Connection]]:
    """A served Annotate page, and its database as it was when it was empty."""
    context = open_context(str(tmp_path_factory.mktemp("annotate") / "workspace"))
    with served(context, ("annotate",)) as address:
        site = Site(address, context)
        with remembered(site) as empty:
            yield site, empty
    close_context(context)


@pytest.fixture
def site(studio: tuple[Site, sqlite3.Connection]) -> Site:
    """The Annotate page, emptied."""
    site, empty = studio
    put_back(site, empty)
    return site
