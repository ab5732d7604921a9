"""A check in a real browser: with the real child, from the form to rows shown and excluded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from serving import launched, opened, served

from studio.annotation import ItemFilter
from studio.services.library import import_source
from studio.ui.app import close_context, open_context
from studio.ui.context import StudioContext
from tests.preflight.conftest import drawing, saved

SECOND = 1000
QUESTION = "Which of the bars is the tallest?"


@pytest.fixture
def context(tmp_path: Path) -> Iterator[StudioContext]:
    """A studio with six pairs, the last two of which repeat the first."""
    opened = open_context(str(tmp_path / "workspace"))
    for seed in range(4):
        (tmp_path / f"{seed}.png").write_bytes(saved(drawing(seed)))
    rows = [
        {"id": f"r{n}", "image": f"{n if n < 4 else 0}.png", "question": QUESTION,
         "chosen": "the one on the left", "rejected": "none"}
        for n in range(6)
    ]  # fmt: skip
    path = tmp_path / "bars.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    import_source(str(path), opened.workspace, opened.store, name="bars")
    yield opened
    close_context(opened)


@pytest.fixture
def page(context: StudioContext, chromium: str) -> Iterator[Page]:
    expect.set_options(timeout=60 * SECOND)
    with (
        served(context) as address,
        launched(chromium) as browser,
        opened(browser, address, 60) as page,
    ):
        yield page


def test_from_the_form_to_rows_shown_and_excluded(page: Page, context: StudioContext):
    page.get_by_role("button", name="Check what a model sees").click()
    page.locator("#check-model input, #check-model textarea").first.fill(" ")
    page.locator("#check-start").click()
    expect(page.get_by_text("No model is given")).to_be_visible()
    page.locator("#check-model input, #check-model textarea").first.fill("embedded")
    expect(page.locator("#check-report")).to_contain_text("Not checked yet")
    page.locator("#check-length input").fill("45")
    page.locator("#check-start").click()
    report = page.locator("#check-report .check-report")
    report.wait_for(timeout=120 * SECOND)
    expect(report).to_contain_text("6 rows with embedded")
    expect(report).to_contain_text("A maximum length of 45 tokens cuts the end of 6 rows")

    page.locator("[data-finding=duplicates][data-action=show]").click()
    expect(page.locator("#data-finding")).to_contain_text("Duplicates")
    expect(page.locator("#data-items tbody tr")).to_have_count(2)
    expect(page.locator("#data-finding")).to_be_in_viewport()

    page.locator(".check-thumb").first.click()
    expect(page.locator("#check-sight")).to_contain_text("96 × 96 pixels, 1 tile, 39 tokens")
    seen = page.locator("#check-sight img.seen")
    assert seen.evaluate("image => image.complete && image.naturalWidth") == 96

    page.locator("[data-finding=duplicates][data-action=exclude]").click()
    expect(report).to_contain_text("4 rows now")
    assert len(context.store.ids(ItemFilter(excluded=True))) == 2

    page.reload()
    page.get_by_role("button", name="Check what a model sees").click()
    page.locator("[data-finding=duplicates][data-action=include]").click()
    expect(page.locator("[data-finding=duplicates][data-action=exclude]")).to_be_visible()
    assert context.store.ids(ItemFilter(excluded=True)) == []
