"""What the studio costs over a bare TRL script on the same run: python benchmarks/overhead.py.

The same training in turn: as a run of the studio (events, status, health, control file; its fast
path off) and as the script that `runs script` gives away, which is TRL alone. Each is a process
forked for it, with torch loaded, on one thread; pairs change their order until the time is spent.
Told are the mean ratio of the pairs with its 95 % interval (bootstrap over pairs), by the clock
and by processor time, which others who use the machine disturb least.

Three things are told apart: training itself, where the limit applies; what comes before and after
it in a run of any length (checks, plan, digest of the rows), in seconds; and the probes of the
default settings (answers before, during and after, forgetting before and after), in seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.config import RunConfig, files
from studio.paths import Workspace
from studio.runs.store import RunStore
from studio.services.eject import eject
from studio.services.launching import environment

LIMIT_PERCENT = 2.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SPEED = ("share_images", "share_prompts", "cache_features", "cache_reference")
RESAMPLES = 4000
LEAST_PAIRS = 3
Reading = dict[str, dict[str, float]]


def config(steps: int, probes: bool) -> RunConfig:
    """A run of the embedded model; everything that is written is written."""
    return files.parse(
        {
            "name": "overhead",
            "batch": {"per_device": 8, "total": 8},
            "data": {"source": "embedded:sft"},
            "schedule": {"max_steps": steps, "save_every": max(1, steps // 2)},
            "speed": dict.fromkeys(SPEED, "off"),
            "probes": {} if probes else {"count": 0, "forgetting": None},
        }
    )


class Trainings:
    """Trains one kind or the other in a process of its own; readings in seconds."""

    def __init__(self, worker: subprocess.Popen, folder: Path, steps: int) -> None:
        self.worker, self.steps = worker, steps
        self.store = RunStore(Workspace.locate(folder / "workspace"))
        self.bare = folder / "bare"
        run = self.store.create(config(steps, False), state="stopped")
        eject(run, self.store.workspace, self.bare)

    def studio(self, probes: bool = False) -> Reading:
        run = self.store.create(config(self.steps, probes), state="starting")
        return self._ask({"worker": str(run.paths.root)})

    def script(self) -> Reading:
        return self._ask({"script": str(self.bare)})

    def _ask(self, request: dict[str, str]) -> Reading:
        self.worker.stdin.write(json.dumps(request) + "\n")
        self.worker.stdin.flush()
        found = json.loads(self.worker.stdout.readline())
        if not found:
            raise SystemExit(f"{request} failed; what it said is above.")
        return found


@contextmanager
def trainings(steps: int) -> Iterator[Trainings]:
    """Everything that is needed, warmed up by one training of each kind."""
    command = [sys.executable, str(Path(__file__).with_name("overhead_worker.py"))]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment() | ONE_THREAD | {"HF_DATASETS_CACHE": f"{folder}/cache"},
        ) as worker,
    ):
        worker.stdout.readline()
        made = Trainings(worker, Path(folder), steps)
        made.script()
        made.studio()
        yield made
        worker.stdin.close()


def measure(minutes: float, steps: int) -> dict[str, object]:
    """Pairs until the time is spent, then what they say."""
    ends = time.monotonic() + 60 * minutes
    with trainings(steps) as made:
        probed = made.studio(probes=True)
        pairs: list[tuple[Reading, Reading]] = []
        took = 0.0
        while len(pairs) < LEAST_PAIRS or time.monotonic() + took < ends:
            began = time.monotonic()
            if len(pairs) % 2:
                bare, studio = made.script(), made.studio()
            else:
                studio, bare = made.studio(), made.script()
            pairs.append((studio, bare))
            told = " ".join(f"{_overhead(pairs[-1], clock):+.2f}" for clock in ("cpu", "wall"))
            print(f"pair {len(pairs)}: {told} % (cpu, wall)", file=sys.stderr)
            took = time.monotonic() - began
    return {
        "pairs": len(pairs),
        "steps": steps,
        **_told("cpu", pairs),
        **_told("wall", pairs),
        "limit_percent": LIMIT_PERCENT,
        "around_training_extra_cpu_s": round(_around(pairs), 2),
        "probes_extra_cpu_s": round(probed["train"]["cpu"] - _middle(pairs, 0, "cpu"), 2),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _overhead(pair: tuple[Reading, Reading], clock: str) -> float:
    mine, bare = pair
    return 100 * (mine["train"][clock] / bare["train"][clock] - 1)


def _told(clock: str, pairs: list[tuple[Reading, Reading]]) -> dict[str, object]:
    logs = [math.log(mine["train"][clock] / bare["train"][clock]) for mine, bare in pairs]
    low, high = interval(logs)
    percent = [round(100 * math.expm1(value), 2) for value in (statistics.fmean(logs), low, high)]
    return {
        f"bare_{clock}_s": round(_middle(pairs, 1, clock), 2),
        f"studio_{clock}_s": round(_middle(pairs, 0, clock), 2),
        f"overhead_{clock}_percent": percent[0],
        f"overhead_{clock}_percent_95": percent[1:],
    }


def interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the mean: percentiles of means over resampled values."""
    chance = random.Random(0)
    means = sorted(
        statistics.fmean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    return means[RESAMPLES // 40], means[-(RESAMPLES // 40) - 1]


def _middle(pairs: list[tuple[Reading, Reading]], place: int, clock: str) -> float:
    return statistics.median(pair[place]["train"][clock] for pair in pairs)


def _around(pairs: list[tuple[Reading, Reading]]) -> float:
    return statistics.median(
        (mine["whole"]["cpu"] - mine["train"]["cpu"])
        - (bare["whole"]["cpu"] - bare["train"]["cpu"])
        for mine, bare in pairs
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.5, help="start-up included")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    flags = parser.parse_args()
    found = measure(flags.minutes, flags.steps)
    if flags.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
