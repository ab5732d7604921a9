"""Memory of a served studio while one page is used: python benchmarks/page_memory.py.

A browser works through Data, Annotate, Train and Runs; each click is an action. After every
`--every` actions the studio collects its garbage and writes down what it holds: resident memory,
the Python objects there are, and with --trace what allocated the growth since the first reading.
`growth_mb` is from the reading at half the actions, when everything has been used, to the last.

    python benchmarks/page_memory.py [--actions 800] [--every 100] [--trace] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MIB = 2**20
START_SECONDS = 600.0
WAIT_MS = 120_000
LIMITS = {"growth_mb": 4.0}
TOP = 15
ROWS = 12


def serve(workspace: str, ready: Path, trace: bool) -> None:
    """Serve the studio; each SIGUSR1 appends a reading to `ready`.jsonl."""
    import psutil

    if trace:
        tracemalloc.start(12)
    from studio.api.context import close_context, open_context
    from studio.api.server import serve as serve_app
    from studio.ui.shell.app import build_app

    context = open_context(workspace)
    app = build_app(context)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    first: list[tracemalloc.Snapshot] = []

    def read(*_: object) -> None:
        gc.collect()
        kinds = Counter(type(one).__qualname__ for one in gc.get_objects())
        found: dict[str, object] = {
            "resident": psutil.Process().memory_info().rss,
            "objects": kinds.total(),
            "kinds": dict(kinds.most_common(60)),
        }
        if trace:
            now = tracemalloc.take_snapshot()
            found["traced"] = tracemalloc.get_traced_memory()[0]
            first.append(now) if not first else None
            grown = now.compare_to(first[0], "traceback")[:TOP]
            found["grown"] = [
                {"bytes": one.size_diff, "count": one.count_diff, "where": one.traceback.format()}
                for one in grown
            ]
        with ready.with_suffix(".jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(found) + "\n")

    signal.signal(signal.SIGUSR1, read)
    ready.write_text(str(bound.getsockname()[1]), encoding="utf-8")
    try:
        serve_app(app, bound)
    finally:
        close_context(context)


def fill(folder: Path) -> None:
    """Sample rows to browse and to label, and four runs with curves."""
    from benchmarks.runs import fill as fill_runs
    from studio.annotation import AnnotationStore
    from studio.annotation.library.source_import import import_source
    from studio.core.paths import Workspace
    from studio.runs.status import update_status
    from studio.runs.store import RunStore

    place = Workspace.locate(folder)
    store = AnnotationStore(place.database_url)
    import_source("embedded:unlabelled", place, store)
    import_source("embedded:preferences", place, store)
    store.close()
    fill_runs(place, 4, 200)
    for run in RunStore(place).list():
        update_status(run.paths, state="finished", pid=None, pid_started=None)


class Driver:
    """Uses the page, an action at a time, in rounds over the tabs."""

    def __init__(self, page) -> None:
        self.page = page
        self.count = 0

    def round(self) -> int:
        """One round; how many actions it took."""
        before = self.count
        self._data()
        self._annotate()
        self._train()
        self._runs()
        return self.count - before

    def _done(self, wait: str = "") -> None:
        if wait:
            self.page.wait_for_selector(wait, timeout=WAIT_MS)
        self.page.wait_for_timeout(150)
        self.count += 1

    def _open(self, name: str, wait: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()
        self._done(wait)

    def _data(self) -> None:
        self._open("Data", "#data-items [data-item]")
        for number in range(6):
            rows = self.page.locator("#data-items [data-item]")
            rows.nth(number + self.count % 5).click()
            self._done("#data-item")
        self.page.get_by_role("button", name="Close", exact=True).first.click()
        self._done()

    def _annotate(self) -> None:
        self._open("Annotate", "#annotate-page .annotate")
        for key in ("1", "2", "u"):
            self.page.keyboard.press(key)
            self._done()

    def _train(self) -> None:
        self._open("Train", "#train-start")
        preset = ("embedded-sft", "embedded-dpo")[self.count % 2]
        self.page.locator("#train-preset input").click()
        self.page.get_by_role("option", name=preset, exact=True).click()
        self._done("#train-about")

    def _runs(self) -> None:
        self._open("Runs", "#run-list [data-run]")
        for number in range(4):
            self.page.locator("#run-list .run-card").nth(number).click()
            self._done("#run-curves")


def measure(actions: int, every: int, trace: bool, chromium: str) -> dict[str, object]:
    """All readings, and how much came to between the one at half the actions and the last."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        place, ready = Path(folder) / "workspace", Path(folder) / "ready"
        fill(place)
        command = [sys.executable, __file__, "--serve", str(place), "--ready", str(ready)]
        environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "False", "STUDIO_WARM": "0"}
        server = subprocess.Popen([*command, *(["--trace"] * trace)], env=environment)
        try:
            _until(ready.exists, START_SECONDS)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                _goto(page, f"http://127.0.0.1:{ready.read_text()}/")
                driver, marks = Driver(page), []
                while driver.count < actions:
                    driver.round()
                    if driver.count >= every * (len(marks) + 1):
                        _read(server.pid, ready.with_suffix(".jsonl"), len(marks) + 1)
                        marks.append(driver.count)
                browser.close()
        finally:
            server.terminate()
            server.wait(30)
        lines = ready.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    readings = [
        {"actions": count, **json.loads(line)} for count, line in zip(marks, lines, strict=True)
    ]
    middle = readings[(len(readings) - 1) // 2]
    grown = (readings[-1]["resident"] - middle["resident"]) / MIB
    return {"growth_mb": round(grown, 2), "readings": readings}


def _goto(page, address: str) -> None:
    page.goto(address, timeout=WAIT_MS)
    page.wait_for_selector(".studio-header", timeout=WAIT_MS)


def _read(pid: int, file: Path, number: int) -> None:
    os.kill(pid, signal.SIGUSR1)
    _until(lambda: file.exists() and len(file.read_text().splitlines()) >= number, WAIT_MS / 1000)


def _until(is_so, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"The studio did not answer within {seconds:.0f} s.")
        time.sleep(0.1)


def report(found: dict) -> None:
    """The readings as lines."""
    for one in found["readings"]:
        traced = f", traced {one['traced'] / MIB:.1f} MB" if "traced" in one else ""
        print(
            f"{one['actions']:5} actions: {one['resident'] / MIB:7.1f} MB resident, "
            f"{one['objects']:,} objects{traced}"
        )
    first, last = found["readings"][0]["kinds"], found["readings"][-1]["kinds"]
    grown = {kind: number - first.get(kind, 0) for kind, number in last.items()}
    for kind, number in sorted(grown.items(), key=lambda pair: -pair[1])[:ROWS]:
        print(f"{number:+8,} {kind}")
    for one in found["readings"][-1].get("grown", []):
        print(f"{one['bytes'] / 1024:+9.1f} KB, {one['count']:+} blocks")
        print("\n".join(one["where"][-12:]))
    print(f"Growth in the second half: {found['growth_mb']} MB (at most {LIMITS['growth_mb']})")


def main() -> int:
    """Measure, or serve for a measurement; 1 when memory grows more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--actions", type=int, default=800)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--trace", action="store_true", help="what allocated the growth; slow")
    parser.add_argument("--json", action="store_true")
    default = os.environ.get("STUDIO_CHROMIUM", "/usr/bin/chromium")
    parser.add_argument("--chromium", default=default)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--ready", type=Path, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.serve:
        serve(flags.serve, flags.ready, flags.trace)
        return 0
    found = measure(flags.actions, flags.every, flags.trace, flags.chromium)
    print(json.dumps(found)) if flags.json else report(found)
    return int(found["growth_mb"] > LIMITS["growth_mb"])


if __name__ == "__main__":
    sys.exit(main())
