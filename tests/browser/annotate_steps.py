"""A served studio, the pairs in it, and what a person does on the Annotate page."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from PIL import Image
from playwright.sync_api import Page

from studio.api.context import StudioContext
from studio.data.schema import Answer, Message, Part, Row

PAIRS = 15
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"> =1+1 ${document.title}"


@dataclass
class Site:
    """A served studio."""

    url: str
    context: StudioContext

    def labels(self) -> list[tuple]:
        with sqlite3.connect(self.context.workspace.database) as connection:
            return connection.execute(
                "SELECT pair_id, kind, reason FROM labels ORDER BY id"
            ).fetchall()

    @property
    def labelled(self) -> int:
        return self.context.store.progress("local").labelled


@contextmanager
def remembered(site: Site) -> Iterator[sqlite3.Connection]:
    """The studio's database as it is now, for `put_back`."""
    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(site.context.workspace.database)) as fresh:
            fresh.backup(copy)
        yield copy


def put_back(site: Site, copy: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(site.context.workspace.database)) as used:
        copy.backup(used)


def add_pairs(site: Site, count: int = PAIRS, images: int = 1) -> None:
    rows = []
    for number in range(count):
        hashes = []
        for other in range(images):
            buffer = io.BytesIO()
            Image.new("RGB", (320, 200), (number * 9, 90 + other, 140)).save(buffer, "PNG")
            hashes.append(site.context.images.add(buffer.getvalue()))
        parts = (*[Part("image")] * images, Part("text", f"Question {number}?"))
        answers = (Answer(f"good {number} {HOSTILE}", "a"), Answer(f"bad {number}", "b"))
        prompt = (Message("user", parts),)
        rows.append(Row(f"r{number}", tuple(hashes), prompt, candidates=answers))
    site.context.store.add_rows("charts", rows)


def visit(page: Page, site: Site) -> None:
    page.goto(site.url)
    page.get_by_role("tab", name="Annotate").click()


def seen(page: Page) -> None:
    """A key counts only for a pair that was drawn."""
    page.wait_for_selector(".an-work[data-seen]:not([hidden])")


def press(page: Page, key: str) -> None:
    """Press once the pair has been seen, and wait for the next pair or state to be there."""
    seen(page)
    before = page.inner_text(".an-question")
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.querySelector('.an-work').hidden || "
        "document.querySelector('.an-question').innerText !== before",
        arg=before,
    )


def saved(page: Page) -> None:
    page.wait_for_selector(".an-status[data-state=saved]:has-text('saved ✓')")
