"""Milliseconds the Runs tab takes on the server: python benchmarks/runs.py.

A workspace of `--runs` runs with `--events` recorded steps each; the newest is under way. Opening
is a studio's first look, with the index of run cards on disk but nothing in memory; a poll is a
look after one more step was recorded; a quiet poll one where nothing happened.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from studio.api.context import StudioContext
from studio.config import RunConfig
from studio.core.paths import Workspace
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from studio.runs.store import RunStore
from studio.ui.runs.state import RunReader
from studio.ui.runs.tab import ACTIONS, RunsTab

LIMITS = {"open_ms": 500.0, "poll_ms": 50.0}
POLLS = 20
Times = list[tuple[float, float]]


def metrics(step: int) -> dict[str, float]:
    """What a DPO step records."""
    wave = math.sin(step / 50)
    names = ("loss", "grad_norm", "rewards/chosen", "rewards/rejected", "rewards/margins")
    more = ("logps/chosen", "logps/rejected", "drift", "samples_per_second", "tokens_per_second")
    shares = {"rewards/accuracies": 0.5 + wave / 4, "mean_token_accuracy": 0.5, "memory_gb": 1.0}
    return shares | {name: step / 1000 + wave for name in (*names, *more)} | {"learning_rate": 1e-4}


def fill(workspace: Workspace, runs: int, events: int) -> None:
    """Make the runs; all but the last are finished."""
    lines = "".join(
        json.dumps({"type": "metrics", "time": 1.0, "step": step, **metrics(step)}) + "\n"
        for step in range(1, events + 1)
    )
    store, me = RunStore(workspace), psutil.Process()
    for number in range(runs):
        run = store.create(RunConfig(name=f"run-{number:03}", method="dpo"), state="stopped")
        run.paths.events.write_text(lines, encoding="utf-8")
        run.paths.log.write_text("a line of the log\n" * 1000, encoding="utf-8")
        update_status(run.paths, state="finished", step=events, total_steps=events)
    update_status(run.paths, state="running", pid=me.pid, pid_started=me.create_time())


def tab(workspace: Workspace) -> RunsTab:
    """A tab that remembers nothing."""
    store = RunStore(workspace)
    made = RunsTab(StudioContext(workspace, None, None, store, None, None, None), RunReader(store))
    made.buttons = {name: None for name, *_ in ACTIONS}
    return made


def words(painted: tuple[object, ...], but: str = "curves") -> str:
    """What a page carries that was painted so; curves are always drawn, the worst case."""
    drawn = "".join(part for part in painted if isinstance(part, str))
    found = dict(re.findall(r'data-part="([^"]*)" data-shown="([^"]*)"', drawn))
    return json.dumps({part: word for part, word in found.items() if part != but})


def milliseconds(action: Callable[[], object]) -> tuple[float, float]:
    """Wall time and processor time; they differ when others use the machine."""
    began, worked = time.perf_counter(), time.process_time()
    action()
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - worked)


def medians(name: str, times: Times) -> dict[str, float]:
    wall, worked = (round(statistics.median(part), 1) for part in zip(*times, strict=True))
    return {f"{name}_ms": wall, f"{name}_cpu_ms": worked}


def measure(runs: int, events: int, repeat: int) -> dict[str, object]:
    """All figures, medians over `repeat` openings and 20 polls each."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.locate(folder)
        fill(workspace, runs, events)
        first = milliseconds(lambda: tab(workspace).open(None))
        opened, polls, quiet = [], [], []
        for _ in range(repeat):
            made = tab(workspace)
            opened.append(milliseconds(lambda made=made: made.open(None)))
            changed, unchanged = _polls(made, workspace, events)
            polls += changed
            quiet += unchanged
    return {
        "runs": runs,
        "events": events,
        **medians("open", opened),
        **medians("poll", polls),
        **medians("quiet_poll", quiet),
        **medians("open_without_index", [first]),
        "limits": LIMITS,
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _polls(made: RunsTab, workspace: Workspace, events: int) -> tuple[Times, Times]:
    painted = made.open(None)
    chosen, seen = painted[0], words(painted)
    log, changed, unchanged = EventLog(workspace.run(chosen).events), [], []
    for step in range(events + 1, events + 1 + POLLS):
        log.append("metrics", step=step, **metrics(step))
        update_status(workspace.run(chosen), step=step)
        changed.append(milliseconds(partial(made.poll, chosen, seen)))
        seen = words(made.poll(chosen, ""))
        unchanged.append(milliseconds(partial(made.poll, chosen, seen)))
    return changed, unchanged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    flags = parser.parse_args()
    found = measure(flags.runs, flags.events, flags.repeat)
    if flags.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
