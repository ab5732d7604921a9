"""Once around the loop in a real browser: label a pair, train, watch it finish, chat with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.open_files import deleted_files, read_elsewhere
from tests.places import ROOT
from tests.ui.serving import opened

SECOND = 1000
STEPS = 3


@pytest.fixture
def studio(tmp_path: Path, python: str) -> Iterator[str]:
    """Address of a studio in an empty workspace; all its processes have torch loaded at once."""
    command = [python, "app.py", "--port", "0", "--no-browser"]
    log = tmp_path / "stderr.txt"
    with log.open("w") as told:
        process = subprocess.Popen(
            [*command, "--workspace", str(tmp_path / "workspace")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        )
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"The studio did not start: {line!r} {log.read_text()}"
        yield found.group()
        assert "Traceback" not in log.read_text()
        assert deleted_files("studio.db", process.pid) == []
    finally:
        process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture
def page(studio: str, window: BrowserContext) -> Iterator[Page]:
    with opened(window, studio, 30) as page:
        yield page


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def label_one_pair(page: Page, database: Path) -> None:
    page.locator("#data-sample").click()
    page.wait_for_selector("#data-items [data-item]")
    open_tab(page, "Annotate")
    page.wait_for_selector(".an-work[data-seen]:not([hidden])")
    page.keyboard.press("1")
    page.wait_for_selector(".an-status[data-state=saved]:has-text('saved ✓')")
    query = "SELECT l.kind, a.name FROM labels l JOIN annotators a ON a.id = l.annotator_id"
    assert read_elsewhere(database, query) == [["choose", "local"]]


def launch_sft(page: Page, steps: int = STEPS) -> None:
    open_tab(page, "Train")
    page.locator("#train-preset input").click()
    page.get_by_role("option", name="embedded-sft", exact=True).click()
    page.wait_for_selector("#train-about:has-text('embedded model')")
    page.get_by_text("All settings").click()
    page.locator("#set-schedule-max_steps").locator("input, textarea").fill("many")
    page.wait_for_selector("#set-schedule-max_steps .field-error:has-text('whole number')")
    page.locator("#set-schedule-max_steps").locator("input, textarea").fill(str(steps))
    page.wait_for_selector("#train-found:has-text('163,840 of')", timeout=90 * SECOND)
    page.wait_for_selector(".field-error", state="detached")
    page.locator("#train-start").click()


def watch_it_finish(page: Page) -> None:
    page.wait_for_selector("#run-head:has-text('embedded-sft')", timeout=60 * SECOND)
    page.reload()
    page.wait_for_selector(".studio-header")
    open_tab(page, "Runs")
    page.wait_for_selector("#run-head .chip:has-text('Finished')", timeout=120 * SECOND)
    page.wait_for_selector(f"#run-head:has-text('step {STEPS} of {STEPS}')")
    page.wait_for_selector("#run-curves .plot:has-text('Loss')")


def chat_with_it(page: Page) -> str:
    page.locator("#run-chat").click()
    page.wait_for_selector("#chat-answer")
    icon = page.locator("#chat-images .icon-button svg").first.bounding_box()
    assert icon and icon["width"] > 0
    page.wait_for_function(
        "document.querySelector('#chat-model input').value.includes('embedded-sft')"
    )
    page.locator("#chat-question textarea").fill("How many bars are there?")
    page.locator("#chat-send").click()
    answers = page.locator("#chat-answer .chat-said.model:not(.waiting)")
    answers.nth(1).wait_for(timeout=90 * SECOND)  # the base's stands before it
    return answers.nth(1).inner_text()


def test_once_around_the_loop(page: Page, tmp_path: Path):
    label_one_pair(page, tmp_path / "workspace" / "studio.db")
    launch_sft(page)
    watch_it_finish(page)
    assert chat_with_it(page).strip()
