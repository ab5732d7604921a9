"""A run in a real browser: reloaded, in two tabs, stopped, resumed, compared, exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from test_browser import SECOND, launch_sft, open_tab, page, studio  # noqa: F401 - fixtures

from studio.config import RunConfig
from studio.paths import Workspace
from studio.runs.events import EventLog, read_events
from studio.runs.store import Run, RunStore
from studio.services.steering import kill_worker

LONG = 5000


def earlier(workspace: Workspace) -> Run:
    """A finished run with a curve, as a training of yesterday left it."""
    run = RunStore(workspace).create(RunConfig(name="earlier"), state="stopped")
    log = EventLog(run.paths.events)
    for step in range(1, 31):
        log.append("metrics", step=step, loss=3.0 / step)
    return run


def wait_chip(page: Page, state: str) -> None:  # noqa: F811
    page.wait_for_selector(f"#run-head .chip:has-text('{state}')", timeout=150 * SECOND)


def show(page: Page, name: str) -> None:  # noqa: F811
    open_tab(page, "Runs")
    page.locator(".run-card", has_text=name).first.click()
    page.wait_for_selector(f"#run-head h2:has-text('{name}')")


@pytest.fixture
def workspace(studio: str, tmp_path: Path) -> Iterator[Workspace]:  # noqa: F811
    """The studio's, whose workers must not outlive the test."""
    found = Workspace.locate(tmp_path / "workspace")
    yield found
    for run in RunStore(found).list():
        kill_worker(run)


@pytest.mark.timeout(600)
def test_a_run_is_watched_steered_compared_and_exported(page: Page, workspace: Workspace):  # noqa: F811
    earlier(workspace)
    launch_sft(page, LONG)
    page.wait_for_selector("#run-head:has-text('embedded-sft')", timeout=60 * SECOND)
    page.reload()
    elsewhere = page.context.browser.new_context(viewport={"width": 1280, "height": 800})
    second = elsewhere.new_page()
    second.set_default_timeout(60 * SECOND)
    second.goto(page.url)
    second.wait_for_selector(".studio-header .running:has-text('embedded-sft')")
    page.goto("about:blank")
    show(second, "embedded-sft")
    wait_chip(second, "Running")
    second.wait_for_selector("#run-curves .plot:has-text('Loss')", timeout=150 * SECOND)
    second.locator("#run-stop").click()
    wait_chip(second, "Stopped")
    second.locator("#run-resume").click()
    wait_chip(second, "Running")
    second.wait_for_selector("#run-head:has-text('resumed 1 time')")
    second.locator("#run-stop_now").click()
    compare_and_export(second)
    wait_chip(second, "Stopped")
    (run,) = [run for run in RunStore(workspace).list() if run.config.name == "embedded-sft"]
    kinds = [event.type for event in read_events(run.paths.events).events]
    assert kinds.count("checkpoint") >= 1


def compare_and_export(page: Page) -> None:  # noqa: F811
    page.locator("#run-compare input").click()
    page.get_by_role("option", name="earlier").click()
    page.wait_for_selector("#run-curves .key:has-text('earlier')")
    with page.expect_download() as picture:
        page.locator("[data-studio='plots-png']").click()
    assert Path(picture.value.path()).read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as table:
        page.get_by_text("CSV", exact=True).click()
    assert "loss" in Path(table.value.path()).read_text().splitlines()[0]
