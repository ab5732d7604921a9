"""The library at size: python benchmarks/library.py [--rows 100000] [--json]

Generates pairs over 1,000 distinct images, imports them in a process of its own, then asks that
process for pages, filters and searches. The floor is what this machine takes, in the same run, to
insert the same rows into plain SQLite tables without search, checks or images.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

IMAGES = 1_000
LIMITS = {
    "import_rows_per_second": (">=", 1_000),
    "page_p95_ms": ("<=", 100),
    "filter_p95_ms": ("<=", 100),
    "search_p95_ms": ("<=", 100),
    "open_tab_p95_ms": ("<=", 300),
    "resident_mb": ("<=", 600),
}
WORDS = [
    "red",
    "blue",
    "green",
    "bar",
    "line",
    "pie",
    "chart",
    "value",
    "tallest",
    "smallest",
    "which",
    "what",
    "how",
    "many",
    "year",
    "month",
    "sales",
    "revenue",
    "does",
    "show",
    "between",
    "than",
    "more",
    "less",
    "total",
    "average",
    "legend",
    "axis",
    "label",
    "colour",
    "title",
    "percent",
    "growth",
    "share",
    "country",
    "region",
    "product",
    "quarter",
    "trend",
    "peak",
    "lowest",
    "highest",
    "count",
    "compare",
]


def generate(folder: Path, rows: int) -> Path:
    """`rows` pairs over IMAGES small pictures, the same for the same number."""
    from PIL import Image

    draw = random.Random(1)
    for number in range(IMAGES):
        colour = tuple(draw.randrange(256) for _ in range(3))
        buffer = io.BytesIO()
        image = Image.new("RGB", (160, 120), colour)
        image.putpixel((number % 160, number // 160), (0, 0, 0))
        image.save(buffer, "PNG")
        (folder / f"{number}.png").write_bytes(buffer.getvalue())
    path = folder / "pairs.jsonl"
    with path.open("w", encoding="utf-8") as handle:
        for number in range(rows):
            handle.write(json.dumps(_record(draw, number)) + "\n")
    return path


def _record(draw: random.Random, number: int) -> dict:
    def words(least: int, most: int) -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))

    return {
        "id": f"row-{number}",
        "image": f"{number % IMAGES}.png",
        "question": f"{words(6, 14)} {number % 9973}?",
        "chosen": words(5, 60),
        "rejected": words(5, 60),
        "level": draw.choice(("easy", "hard")),
    }


def floor(path: Path, folder: Path) -> float:
    """Rows a second that this machine puts into bare SQLite tables, as durably, 200 at a time."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE items (id INTEGER PRIMARY KEY, external TEXT, question TEXT, image TEXT);"
        "CREATE TABLE candidates (id INTEGER PRIMARY KEY, item INTEGER, text TEXT);"
    )
    began, rows = time.perf_counter(), 0
    with path.open(encoding="utf-8") as handle:
        while lines := [line for _, line in zip(range(200), handle, strict=False)]:
            records = [json.loads(line) for line in lines]
            connection.execute("BEGIN")
            for number, record in enumerate(records, rows + 1):
                values = (number, record["id"], record["question"], record["image"])
                connection.execute("INSERT INTO items VALUES (?, ?, ?, ?)", values)
                answers = [(number, record["chosen"]), (number, record["rejected"])]
                connection.executemany("INSERT INTO candidates(item, text) VALUES (?, ?)", answers)
            connection.execute("COMMIT")
            rows += len(records)
    connection.close()
    return rows / (time.perf_counter() - began)


class Watch:
    """Samples this process's resident memory while something runs."""

    def __init__(self) -> None:
        import psutil

        self._process, self.samples, self._stop = psutil.Process(), [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(0.25):
            self.samples.append(self._process.memory_info().rss / 1e6)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *given: object) -> None:
        self._stop.set()
        self._thread.join()


def serve(workspace: str, path: str) -> dict[str, float]:
    """In the measured process: the whole studio's page in memory, an import, then questions."""
    from studio.annotation.library.source_import import import_source
    from studio.api.context import close_context, open_context
    from studio.ui.shell.app import build_page

    context = open_context(workspace)
    build_page(context)
    import_source(path, context.workspace, context.store, split=f"train[:{IMAGES}]", name="images")
    saves, stop = [], threading.Event()
    annotator = threading.Thread(target=_annotate, args=(context.store, saves, stop), daemon=True)
    annotator.start()
    began, cpu = time.perf_counter(), time.process_time()
    with Watch() as watch:
        report = import_source(path, context.workspace, context.store, name="big")
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    stop.set()
    annotator.join()
    quarter = max(1, len(watch.samples) // 4)
    found = {
        "rows": report.added,
        "import_seconds": round(seconds, 1),
        "import_cpu_seconds": round(cpu, 1),
        "import_rows_per_second": round(report.added / seconds),
        "annotator_save_p95_ms": _p95(saves),
        "annotator_save_max_ms": round(max(saves, default=0.0), 1),
        "resident_mb": round(max(watch.samples)),
        "resident_growth_mb": round(
            statistics.fmean(watch.samples[-quarter:])
            - statistics.fmean(watch.samples[quarter : 2 * quarter] or watch.samples)
        ),
        **ask(context),
    }
    close_context(context)
    return found


def _annotate(store, saves: list[float], stop: threading.Event) -> None:
    """Somebody who labels the whole time; milliseconds of each save."""
    from studio.annotation import LabelEvent

    while not stop.is_set() and (card := store.claim("ana", "images")):
        event = LabelEvent(
            key=uuid.uuid4().hex,
            pair_id=card.pair_id,
            annotator="ana",
            kind="choose",
            winner_id=card.left.candidate_id,
            expected_version=card.version,
            repeat=card.repeat,
        )
        began = time.perf_counter()
        store.save(event)
        saves.append(1000 * (time.perf_counter() - began))
        stop.wait(0.2)


def ask(context) -> dict[str, float]:
    """p95 of what the Data tab's handlers take on the server, in milliseconds."""
    from studio.annotation import ItemFilter
    from studio.ui.data.library import Library
    from studio.ui.data.state import LibraryState

    library, draw = Library(context), random.Random(2)
    opened = library.open(LibraryState().of("big"))["state"]
    turned = [opened]
    pages = [
        _timed(lambda state: turned.append(library.forward(state, None)["state"]), turned[-1])
        for _ in range(60)
    ]
    filters = (
        {"labelled": True}, {"labelled": False}, {"flagged": True}, {"excluded": False},
        {"length": (100, 200)}, {"length": (None, 60)}, {"split": "train"}, {"labelled_by": "ana"},
        {"agreement": "disagree"}, {"tag": "odd"}, {"deleted": True},
    )  # fmt: skip
    wheres = [ItemFilter(dataset="big", **values) for values in filters]
    orders = ("oldest", "newest", "longest", "shortest")
    narrowed = [opened.narrowed(where, order) for where in wheres for order in orders]
    searches = [
        opened.narrowed(ItemFilter(dataset="big", search=words))
        for number in range(40)
        for words in (draw.choice(WORDS), " ".join(draw.sample(WORDS, 2)), str(number * 37))
    ]
    kinds = {
        "page": pages,
        "filter": [_timed(library.rows, state) for state in narrowed],
        "search": [_timed(library.rows, state) for state in searches],
        "open_tab": [_timed(library.open, opened) for _ in range(20)],
    }
    found = {}
    for kind, times in kinds.items():
        found[f"{kind}_p95_ms"] = _p95([clock for clock, _ in times])
        found[f"{kind}_p95_cpu_ms"] = _p95([cpu for _, cpu in times])
    return found


def _timed(function, state) -> tuple[float, float]:
    """Milliseconds by the clock, and of this thread's CPU time, which others do not disturb."""
    began, cpu = time.perf_counter(), time.thread_time()
    function(state)
    return 1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - cpu)


def _p95(values: list[float]) -> float:
    return round(sorted(values)[int(0.95 * (len(values) - 1))], 1) if values else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--serve", nargs=2, metavar=("WORKSPACE", "FILE"), help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.serve:
        print(json.dumps(serve(*flags.serve)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = generate(folder, flags.rows)
        bare = floor(path, folder)
        command = [sys.executable, __file__, "--serve", str(folder / "workspace"), str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    found = json.loads(done.stdout.splitlines()[-1])
    found |= {
        "floor_rows_per_second": round(bare),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }
    found["reached"] = all(
        found[name] >= limit if sign == ">=" else found[name] <= limit
        for name, (sign, limit) in LIMITS.items()
    )
    if flags.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        sign, limit = LIMITS.get(name, ("", ""))
        print(f"{name:26} {value!s:>10}  {sign} {limit}")


if __name__ == "__main__":
    main()
