"""The Train form in a real browser: the plan beside it, suggestions, import, comparison."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio.api.context import close_context, open_context
from tests.ui.fake_planner import FakePlanner
from tests.ui.serving import opened, served

SECONDS = 60
WRONG = "name: imported\nadapter: {rnk: 4}\n"
RIGHT = "name: imported\nadapter: {rank: 4}\noptimizer: {neftune: 5}\n"


@pytest.fixture
def planner() -> FakePlanner:
    planner = FakePlanner()
    planner.go = threading.Event()
    planner.go.set()
    planner.during = lambda: planner.go.wait(SECONDS)
    return planner


@pytest.fixture
def page(tmp_path: Path, planner: FakePlanner, window: BrowserContext) -> Iterator[Page]:
    expect.set_options(timeout=1000 * SECONDS)
    context = open_context(str(tmp_path / "workspace"))
    with (
        served(replace(context, planner=planner), ("train",)) as address,
        opened(window, address, SECONDS) as page,
    ):
        page.get_by_role("tab", name="Train", exact=True).click()
        yield page
    close_context(context)


def field(page: Page, path: str):
    return page.locator(f"#set-{path.replace('.', '-')}").locator("input, textarea").first


def plan_dims_and_comes_back(page: Page, planner: FakePlanner) -> None:
    found = page.locator("#train-found")
    expect(found).to_contain_text("163,840 of 1.92 M")
    planner.go.clear()
    field(page, "batch.total").fill("32")
    expect(page.locator("#train-found.updating")).to_contain_text("163,840 of 1.92 M")
    expect(page.locator("#train-state")).to_contain_text("Updating")
    planner.go.set()
    expect(page.locator("#train-found:not(.updating)")).to_be_visible()
    expect(page.locator("#train-state")).to_contain_text("Up to date")
    assert planner.asked[-1][0].batch.total == 32


def suggestion_is_applied(page: Page) -> None:
    page.get_by_role("button", name="Apply: Two rows at once").click()
    expect(field(page, "batch.per_device")).to_have_value("2")
    expect(page.locator("#train-summary")).to_contain_text("2 × 16 = 32")


def what_is_typed_stands_where_a_list_is_offered(page: Page) -> None:
    target = page.locator("#set-target input")
    target.click()
    page.keyboard.type("1")  # as "A GPU with 12 GB" begins, and others
    page.keyboard.press("Enter")
    expect(target).to_have_value("1")
    target.click()
    page.keyboard.type("This machine")
    page.keyboard.press("Enter")
    expect(target).to_have_value("This machine")


def advanced_settings_are_shown_found_and_explained(page: Page) -> None:
    decay = page.locator("#set-optimizer-weight_decay")
    expect(decay).to_be_hidden()
    page.get_by_text("All settings").click()
    expect(decay).to_be_visible()
    decay.locator(".why summary").click()
    expect(decay.locator(".why")).to_contain_text("optimizer.weight_decay")
    page.get_by_text("Basic", exact=True).click()
    expect(decay).to_be_hidden()
    page.locator("#train-search").locator("input, textarea").fill("weight decay")
    expect(decay).to_be_visible()
    expect(page.locator("#set-adapter-rank")).to_be_hidden()
    page.locator("#train-search").locator("input, textarea").fill("")


def sections_are_jumped_to_and_settings_found_by_what_they_offer(page: Page) -> None:
    jump = page.locator("#train-jump")
    expect(jump).to_be_hidden()
    page.get_by_text("All settings").click()
    expect(jump).to_be_visible()
    expect(jump.get_by_role("button", name="Preference loss")).to_be_hidden()
    jump.get_by_role("button", name="Where it runs").click()
    expect(page.locator("#sec-launch")).to_be_in_viewport()
    expect(jump).to_be_in_viewport()
    search = page.locator("#train-search").locator("input, textarea")
    for words, path in (
        ("pissa", "adapter-init"),
        ("loraplus_lr_ratio", "adapter-lora_plus_ratio"),
        ("print is lost", "model-image-longest_edge"),
    ):
        search.fill(words)
        expect(page.locator(f"#set-{path}")).to_be_visible()
        expect(page.locator("#set-batch-total")).to_be_hidden()
        expect(page.locator("#train-hits")).to_contain_text("1 setting with")
    search.fill("no such words")
    expect(page.locator("#train-hits")).to_contain_text("No setting has")
    search.press("Escape")
    expect(page.locator("#set-batch-total")).to_be_visible()
    expect(page.locator("#train-hits")).to_be_hidden()
    page.get_by_text("Basic", exact=True).click()


def a_trial_is_stopped(page: Page, planner: FakePlanner) -> None:
    stop = page.locator("#train-stop-trial")
    expect(stop).to_be_hidden()
    planner.go.clear()
    page.locator("#train-measure").click()
    expect(stop).to_be_visible()
    stop.click()
    expect(stop).to_contain_text("Stopping")
    planner.go.set()
    expect(page.locator("#train-state")).to_contain_text("stopped")
    expect(stop).to_be_hidden()


def run_file(text: str) -> dict[str, Any]:
    return {"name": "run.yaml", "mimeType": "application/yaml", "buffer": text.encode()}


def run_file_is_refused_then_taken(page: Page) -> None:
    page.get_by_role("button", name="Settings: save, load").click()
    chooser = page.get_by_test_id("Open a file-upload-button")
    chooser.set_input_files(run_file(WRONG))
    refused = page.locator("#settings-refused")
    expect(refused).to_contain_text("adapter.rnk")
    expect(refused).to_contain_text("Did you mean adapter.rank?")
    expect(field(page, "batch.total")).to_have_value("32")
    chooser.set_input_files(run_file(RIGHT))
    expect(field(page, "adapter.rank")).to_have_value("4")
    expect(field(page, "name")).to_have_value("imported")
    expect(refused).not_to_contain_text("adapter.rnk")


def two_settings_are_compared(page: Page) -> None:
    page.locator("#settings-save").click()
    expect(page.locator("#settings-told")).to_contain_text("Saved as imported")
    field(page, "adapter.rank").fill("8")
    page.locator("#settings-b input").click()
    page.get_by_role("option", name="Saved: imported").click()
    expect(page.locator("#settings-diff")).to_contain_text("adapter.rank")
    assert page.locator("#settings-diff td").all_inner_texts() == ["8", "4"]


def start_waits_with_a_reason(page: Page) -> None:
    field(page, "adapter.rank").fill("")
    expect(page.locator("#set-adapter-rank .field-error")).to_contain_text("Give a number.")
    expect(page.locator("#train-reason")).to_contain_text("Start waits for: Rank")
    expect(page.locator("#train-start")).to_be_disabled()
    expect(page.locator("#train-found.updating")).to_contain_text("163,840 of 1.92 M")


def test_form_plan_import_and_comparison(page: Page, planner: FakePlanner):
    plan_dims_and_comes_back(page, planner)
    suggestion_is_applied(page)
    what_is_typed_stands_where_a_list_is_offered(page)
    advanced_settings_are_shown_found_and_explained(page)
    sections_are_jumped_to_and_settings_found_by_what_they_offer(page)
    a_trial_is_stopped(page, planner)
    run_file_is_refused_then_taken(page)
    two_settings_are_compared(page)
    start_waits_with_a_reason(page)
