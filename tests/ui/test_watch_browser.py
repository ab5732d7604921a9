"""A run in a real browser: reloaded, in two tabs, stopped, resumed, compared, exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from test_browser import SECOND, launch_sft, open_tab, page, studio  # noqa: F401 - fixtures

from studio.config import files
from studio.paths import Workspace
from studio.runs.events import read_events
from studio.runs.status import read_status
from studio.runs.store import Run, RunStore
from studio.services.steering import kill_worker
from studio.services.supervisor import Supervisor

LONG = {
    "name": "long-one",
    "adapter": {"rank": 4},
    "batch": {"per_device": 2, "total": 2},
    "data": {"source": "embedded:sft"},
    "schedule": {"max_steps": 5000, "save_every": 5000},
    "probes": {"count": 0, "forgetting": None},
    "speed": dict.fromkeys(
        ("share_images", "share_prompts", "cache_features", "cache_reference"), "off"
    ),
}


def wait_chip(page: Page, state: str) -> None:  # noqa: F811
    page.wait_for_selector(f"#run-head .chip:has-text('{state}')", timeout=150 * SECOND)


def show(page: Page, name: str) -> None:  # noqa: F811
    open_tab(page, "Runs")
    page.locator(".run-card", has_text=name).first.click()
    page.wait_for_selector(f"#run-head h2:has-text('{name}')")


@pytest.fixture
def ended() -> Iterator[list[Run]]:
    """Runs whose workers must not outlive the test."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        kill_worker(Run(run.paths, read_status(run.paths)))


@pytest.mark.timeout(600)
def test_a_run_is_watched_steered_compared_and_exported(
    page: Page,  # noqa: F811
    tmp_path: Path,
    ended: list[Run],
):
    launch_sft(page)
    page.wait_for_selector("#run-head:has-text('embedded-sft')")
    wait_chip(page, "Finished")
    workspace = Workspace.locate(tmp_path / "workspace")
    run_id = Supervisor(workspace).submit(files.parse(LONG))
    ended.append(RunStore(workspace).get(run_id))
    show(page, "long-one")
    wait_chip(page, "Running")
    page.wait_for_selector("#run-curves .plot:has-text('Loss')", timeout=150 * SECOND)
    page.reload()
    elsewhere = page.context.browser.new_context(viewport={"width": 1280, "height": 800})
    second = elsewhere.new_page()
    second.set_default_timeout(60 * SECOND)
    second.goto(page.url)
    second.wait_for_selector(".studio-header .running:has-text('long-one')")
    show(second, "long-one")
    page.goto("about:blank")
    second.locator("#run-stop").click()
    wait_chip(second, "Stopped")
    second.locator("#run-resume").click()
    wait_chip(second, "Running")
    second.wait_for_selector("#run-head:has-text('resumed 1 time')")
    second.locator("#run-stop_now").click()
    wait_chip(second, "Stopped")
    kinds = [event.type for event in read_events(workspace.run(run_id).events).events]
    assert kinds.count("checkpoint") >= 1
    second.locator("#run-compare input").click()
    second.get_by_role("option", name="embedded-sft").click()
    second.wait_for_selector("#run-curves .key:has-text('embedded-sft')")
    with second.expect_download() as picture:
        second.locator("[data-studio='plots-png']").click()
    assert Path(picture.value.path()).read_bytes().startswith(b"\x89PNG")
    with second.expect_download() as table:
        second.get_by_text("CSV", exact=True).click()
    assert "loss" in Path(table.value.path()).read_text().splitlines()[0]
