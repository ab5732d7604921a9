"""In a real browser: one whole round on the embedded model, by clicks and keys alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.api.context import close_context, open_context
from studio.data.schema import Answer, Row
from studio.data.sources import open_source
from studio.launch.round_store import RoundStore
from studio.metrics.evasiveness import is_evasive
from tests.browser.annotate_steps import seen
from tests.ui.serving import opened, served

ROWS, HELD_OUT, LONG = 6, 4, 180_000
MORE = """temperature=1.3
answers=6
batch.per_device=4
batch.total=4
schedule.epochs=6
optimizer.learning_rate=2e-3"""

PICTURE = "document.querySelector('.an-work img').src"


@pytest.fixture
def context(tmp_path):
    found = open_context(str(tmp_path / "workspace"))
    rows = open_source("embedded:preferences", split="train", workspace=found.workspace).rows()
    asked = (row for row in rows if isinstance(row, Row) and row.meta["kind"] == "lowest")
    some = [replace(next(asked), rejected=None) for _ in range(ROWS + HELD_OUT)]
    bare = [replace(row, chosen=None) for row in some]
    goal = [
        replace(row, completion=Answer(one.chosen.text))
        for row, one in zip(bare[ROWS:], some[ROWS:], strict=True)
    ]
    found.store.add_rows("charts", bare[:ROWS])
    found.store.add_rows("held-out", goal)
    found.supervisor.start()
    yield found
    close_context(found)


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def choose(page, place, option):
    page.locator(f"{place} input").click()
    page.get_by_role("option", name=option).first.click()


def prefer_what_is_said(page):
    """Judge every pair by keyboard: an answer is better than an evasion."""
    for _ in range(ROWS + HELD_OUT + 3):  # with pairs that are shown again
        seen(page)
        picture = page.evaluate(PICTURE)
        left = page.inner_text(".an-answer[data-side=left]")
        page.keyboard.press("2" if is_evasive(left) else "1")
        # Two charts may have one question: another one has another picture.
        page.wait_for_function(
            f"before => document.querySelector('.an-work').hidden || {PICTURE} !== before",
            arg=picture,
        )
        if page.locator(".an-work[hidden]").count():
            return
    raise AssertionError("The pairs did not end.")


def wait_for(page, step, state):
    page.wait_for_selector(f"[data-step={step}][data-state='{state}']", timeout=LONG)


def test_a_round_from_the_form_to_the_next_round(window, context):
    names = ("annotate", "runs", "rounds")
    with served(context, names) as address, opened(window, address, 30) as page:
        open_tab(page, "Rounds")
        page.locator("#round-start").click()
        page.wait_for_selector("#round-trouble:has-text('Rows to answer')")
        page.locator("#round-name").locator("input, textarea").fill("evasions")
        choose(page, "#round-data", "charts")
        choose(page, "#round-goal", "held-out")
        choose(page, "#round-preset", "embedded-dpo")
        page.locator("#round-more textarea").fill(MORE)
        page.locator("#round-start").click()
        page.wait_for_selector("#round-head:has-text('evasions, round 1')")
        page.locator("#round-step:has-text('Write answers')").click()
        wait_for(page, "labels", "waits for people")
        page.locator("#round-label").click()
        prefer_what_is_said(page)
        open_tab(page, "Rounds")
        page.wait_for_selector("#round-step:has-text('Export')")
        one = RoundStore(context.workspace).newest()
        with RoundStore(context.workspace).working(one):  # a command takes the step
            page.locator("#round-step").click()
            page.wait_for_selector(".toast-body:has-text('being taken already')")
        page.locator("#round-step:has-text('Export')").click()
        wait_for(page, "training", "done")
        page.locator("#round-step:has-text('Evaluate')").click()
        wait_for(page, "evaluation", "done")
        page.wait_for_selector("#round-figures:has-text('Exact match')")
        page.locator("#round-step:has-text('blind match')").click()
        wait_for(page, "match", "waits for people")
        page.locator("#round-label:has-text('Judge the pairs')").click()
        prefer_what_is_said(page)
        open_tab(page, "Rounds")
        wait_for(page, "match", "done")
        page.locator("#round-accept").click()
        page.wait_for_selector(".toast-body:has-text('Why?')")
        page.locator("#round-reason").locator("input, textarea").fill("It answers now")
        page.locator("#round-accept").click()
        page.wait_for_selector("[data-step=decision]:has-text('It answers now')")
        page.locator("#round-next").click()
        page.wait_for_selector("#round-head:has-text('evasions, round 2')")
    following, first = RoundStore(context.workspace).list()
    assert following.before == first.round_id and following.start
    assert following.settings.training == first.settings.training
