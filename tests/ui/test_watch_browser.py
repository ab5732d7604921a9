"""A run in a real browser: reloaded, in two tabs, stopped, resumed, compared, exported."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page
from test_browser import SECOND, launch_sft, open_tab, page, studio  # noqa: F401 - fixtures

from studio.config import files
from studio.paths import Workspace
from studio.runs.events import read_events
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
    page.wait_for_selector(f"#run-head .chip:has-text('{state}')", timeout=90 * SECOND)


def show(page: Page, name: str) -> None:  # noqa: F811
    open_tab(page, "Runs")
    page.locator(".run-card", has_text=name).first.click()
    page.wait_for_selector(f"#run-head h2:has-text('{name}')")


def test_a_run_is_watched_steered_compared_and_exported(page: Page, tmp_path: Path):  # noqa: F811
    launch_sft(page)
    workspace = Workspace.locate(tmp_path / "workspace")
    run_id = Supervisor(workspace).submit(files.parse(LONG))
    show(page, "long-one")
    wait_chip(page, "Running")
    page.wait_for_selector("#run-curves .plot:has-text('Loss')", timeout=90 * SECOND)
    page.reload()
    second = page.context.new_page()
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
