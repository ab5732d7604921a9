"""A run in a real browser: reloaded, in two tabs, stopped, resumed, compared, exported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from studio.api.context import StudioContext, close_context, open_context
from studio.config import RunConfig
from studio.launch import worker_process
from studio.runs import queue
from studio.runs.control.commands import kill_worker
from studio.runs.event_log import EventLog, read_events
from studio.runs.run_plan import MemoryPlan, Plan
from studio.runs.store import Run, RunStore
from tests.ui.serving import opened, served

LONG = 5000
PLAN = Plan(
    trainable_parameters=163_840,
    total_parameters=1_918_976,
    towers=[],
    train_rows=400,
    evaluation_rows=0,
    steps=LONG,
    effective_batch=16,
    accumulation=1,
    tokens_median=71,
    tokens_max=80,
    device="cpu",
    dtype="float32",
    warnings=[],
    memory=MemoryPlan(1, 1, 1, 1, 0, 1, 1),
    device_memory=2**33,
    suggestions=[],
)
SECOND = 1000


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def earlier(store: RunStore) -> Run:
    """A finished run with a curve, as a training of yesterday left it."""
    run = store.create(RunConfig(name="earlier"), state="stopped")
    log = EventLog(run.paths.events)
    for step in range(1, 31):
        log.append("metrics", step=step, loss=3.0 / step)
    return run


def wait_chip(page: Page, state: str) -> None:
    page.wait_for_selector(f"#run-head .chip:has-text('{state}')", timeout=150 * SECOND)


def show(page: Page, name: str) -> None:
    open_tab(page, "Runs")
    page.locator(".run-card", has_text=name).first.click()
    page.wait_for_selector(f"#run-head h2:has-text('{name}')")


class Unplanned:
    """A planner that lets every run start, so that none has to load its libraries."""

    ready = True

    def warm(self) -> None:
        pass

    def plan(self, config: RunConfig, gpu_gb: float | None = None) -> Plan:
        return PLAN

    def close(self) -> None:
        pass


@pytest.fixture
def context(
    tmp_path: Path, client: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StudioContext]:
    """A studio whose workers are forked, and end with the test."""
    monkeypatch.setattr(worker_process, "WORKER", ("-c", client))
    made = replace(open_context(str(tmp_path)), planner=Unplanned())
    made.supervisor.start()
    yield made
    close_context(made)
    for run in made.runs.list():
        kill_worker(run)


@pytest.fixture
def page(context: StudioContext, window: BrowserContext) -> Iterator[Page]:
    with (
        served(context, ("train", "runs")) as address,
        opened(window, address, 60) as page,
    ):
        yield page


HEADS = """() => { window.heads = new Set(); setInterval(() => {
    const head = document.querySelector('#run-head');
    if (head?.offsetParent) window.heads.add(head.querySelector('h2')?.textContent ?? ''); }, 10) }"""
"""Writes down whose heads are seen from now on."""


def start(page: Page) -> None:
    open_tab(page, "Train")
    page.locator("#train-preset input").click()
    page.get_by_role("option", name="embedded-sft", exact=True).click()
    page.wait_for_selector("#train-about:has-text('embedded model')")
    page.get_by_text("All settings").click()
    page.locator("#set-schedule-max_steps").locator("input, textarea").fill(str(LONG))
    page.evaluate(HEADS)
    page.locator("#train-start").click()


@pytest.mark.timeout(600)
def test_a_run_is_watched_steered_compared_and_exported(page: Page, context: StudioContext):
    earlier(context.runs)
    show(page, "earlier")
    start(page)
    page.wait_for_selector("#run-head:has-text('embedded-sft')", timeout=60 * SECOND)
    assert "earlier" not in page.evaluate("[...window.heads]"), "the run before is not shown again"
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
    (run,) = [run for run in context.runs.list() if run.config.name == "embedded-sft"]
    kinds = [event.type for event in read_events(run.paths.events).events]
    assert kinds.count("checkpoint") >= 1
    queue.set_paused(context.workspace, True)
    reorder_by_keys(second, context.runs)
    read_why_not(second, context.runs)
    reload_what_was_looked_at(second)
    elsewhere.close()


def reload_what_was_looked_at(page: Page) -> None:
    show(page, "earlier")
    page.locator("#run-log-scale input").check()
    page.locator("#run-smoothing input[type=range]").press("ArrowRight")
    page.wait_for_function("localStorage.getItem('studio-run-looks') === '[0.65,true]'")
    page.reload()
    page.wait_for_selector("#run-head h2:has-text('earlier')")
    page.wait_for_selector("#run-log-scale input:checked")


def reorder_by_keys(page: Page, store: RunStore) -> None:
    """The focus goes along with the run, although the list is drawn anew."""
    for name in ("one", "two", "three"):
        store.create(RunConfig(name=name))
    page.wait_for_selector(".run-waiting:has-text('three')")
    page.locator(".run-waiting", has_text="three").locator("[data-act=up]").focus()
    for places in (["one", "three", "two"], ["three", "one", "two"]):
        page.keyboard.press("Enter")
        wanted = f"names => JSON.stringify(names) === '{json.dumps(places, separators=(',', ':'))}'"
        names = "[...document.querySelectorAll('.run-waiting .name')].map(e => e.textContent)"
        page.wait_for_function(f"({wanted})({names})")
        page.wait_for_function("document.activeElement.dataset.run?.includes('three')")


def read_why_not(page: Page, store: RunStore) -> None:
    """A file that cannot be made is explained beside its button, on the same page."""
    run = store.create(RunConfig(name="damaged"), state="stopped")
    run.paths.config.write_text("metod: sft\n")
    page.locator(f".run-card[data-run='{run.run_id}']").click()
    page.wait_for_selector("#run-head:has-text('cannot be read')")
    page.get_by_text("Python script", exact=True).click()
    page.wait_for_selector("#run-exports .file-trouble:has-text('metod')")


def compare_and_export(page: Page) -> None:
    page.locator("#run-compare input").click()
    page.get_by_role("option", name="earlier").click()
    page.wait_for_selector("#run-curves .key:has-text('earlier')")
    with page.expect_download() as picture:
        page.locator("[data-studio='plots-png']").click()
    made = Path(picture.value.path()).read_bytes()
    assert made.startswith(b"\x89PNG")
    # Above the curves are the two runs with their dates, and when the picture was made.
    rows = -(-page.locator("#run-curves .plot").count() // 2)
    assert int.from_bytes(made[20:24]) == 2 * (12 + 3 * 20 + rows * 280)
    with page.expect_download() as table:
        page.get_by_text("CSV", exact=True).click()
    assert "loss" in Path(table.value.path()).read_text().splitlines()[0]
