"""What the studio costs over a bare TRL script on the same run: python benchmarks/studio_overhead.py.

The run is the preset of the embedded model as it comes: 400 rows, four epochs, 200 optimizer
steps of 8 rows, a checkpoint every 100 steps, the adapter saved at the end. It is trained in turn

* by the studio: `python -m studio worker`, the process that the Runs tab starts, with everything
  it does around a run: checks of settings and rows, plan, identity for resuming, recipe, events,
  status, health, control file, completion markers; and
* by the script that `runs script` gives away: `python train.py`, which is TRL alone. Same rows in
  the same order, same losses, same log lines, checkpoints at the same steps, same adapter saved.

Each is a fresh process on one thread, counted from its start to its exit, the loading of libraries
included on both sides. Pairs change their order until the time is spent. The headline is the
median over pairs of (studio / bare - 1), with the 95 % bootstrap interval of that median: by
processor time (user and system, of the process and its children), which others on the machine
disturb least, and by the clock. What makes it up is told apart: seconds before and after
`Trainer.train` in a run of any length, and milliseconds a step within it.

Not in the pair are what the script does not do at all: the probes (answers before, while and after
training, and what is forgotten), told apart in seconds at their default settings, and the fast
path, which makes runs shorter (benchmarks/training.py). One run of each kind goes before the
pairs, so that both find files and caches warm: images in the workspace, rows in the cache of
datasets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.config import RunConfig, run_file
from studio.config.speed import SAVINGS
from studio.core.paths import PRESETS, Workspace
from studio.launch.training_script import eject
from studio.launch.worker_process import environment
from studio.runs.status import read_status
from studio.runs.store import Run, RunStore

LIMIT_PERCENT = 2.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
RESAMPLES = 4000
LEAST_PAIRS = 3
PARTS = ("whole", "train")
CLOCKS = ("cpu", "wall")
Reading = dict[str, dict[str, float]]
Pair = tuple[Reading, Reading]


def config(method: str, steps: int | None, probes: bool) -> RunConfig:
    """The preset of the embedded model with the fast path off."""
    values = run_file.load(PRESETS / f"embedded-{method}.yaml").model_dump(mode="json")
    values["speed"] |= dict.fromkeys(SAVINGS, "off")
    values["schedule"]["max_steps"] = steps
    if not probes:
        values["probes"] |= {"count": 0, "forgetting": None}
    return run_file.parse(values)


class Trainings:
    """Trains one kind or the other in a process of its own; readings in seconds."""

    def __init__(self, folder: Path, method: str, steps: int | None) -> None:
        self.method, self.max_steps = method, steps
        self.store = RunStore(Workspace.locate(folder / "workspace"))
        self.bare, self.times, self.log = folder / "bare", folder / "times", folder / "log"
        self.environment = (
            environment() | ONE_THREAD | {"HF_DATASETS_CACHE": str(folder / "datasets")}
        )
        self.steps = 0
        eject(self._run(probes=False), self.store.workspace, self.bare)

    def studio(self, probes: bool = False) -> Reading:
        run = self._run(probes)
        found = self._timed("worker", run.paths.root)
        status = read_status(run.paths)
        if status.state != "finished":
            raise SystemExit(f"The run {status.state}: {status.message}")
        self.steps = status.total_steps
        return found

    def script(self) -> Reading:
        return self._timed("script", self.bare)

    def _run(self, probes: bool) -> Run:
        wanted = config(self.method, self.max_steps, probes)
        return self.store.create(wanted, state="stopped")

    def _timed(self, kind: str, folder: Path) -> Reading:
        worker = Path(__file__).with_name("studio_overhead_worker.py")
        with self.log.open("wb") as log:
            began = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, str(worker), kind, str(folder), str(self.times)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"The {kind} failed:\n{self.log.read_text(errors='replace')[-2000:]}")
        train = json.loads(self.times.read_text(encoding="utf-8"))
        return {"train": train, "whole": {"cpu": used.ru_utime + used.ru_stime, "wall": wall}}


def measure(minutes: float, method: str, steps: int | None) -> dict[str, object]:
    """Pairs until the time is spent, then what they say."""
    ends = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        made = Trainings(Path(folder), method, steps)
        made.script()
        made.studio()
        probed = made.studio(probes=True)
        pairs = _pairs(made, ends)
    return {
        "method": method,
        "steps": made.steps,
        "pairs": len(pairs),
        **_overheads("whole", "overhead", pairs),
        "limit_percent": LIMIT_PERCENT,
        **_overheads("train", "training", pairs),
        "step_extra_cpu_ms": round(1000 * _extra(pairs, _trained) / made.steps, 2),
        "around_extra_cpu_s": round(_extra(pairs, _around), 2),
        **_seconds(pairs),
        "probes_extra_cpu_s": round(_whole(probed) - _middle(_whole(p[0]) for p in pairs), 2),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def _pairs(made: Trainings, ends: float) -> list[Pair]:
    pairs: list[Pair] = []
    took = 0.0
    while len(pairs) < LEAST_PAIRS or time.monotonic() + took < ends:
        began = time.monotonic()
        if len(pairs) % 2:
            bare, studio = made.script(), made.studio()
        else:
            studio, bare = made.studio(), made.script()
        pairs.append((studio, bare))
        told = ", ".join(
            f"{part} {100 * _ratio(pairs[-1], part, clock):+.2f} % {clock}"
            for part in PARTS
            for clock in CLOCKS
        )
        print(f"pair {len(pairs)}: {told}", file=sys.stderr)
        took = time.monotonic() - began
    return pairs


def _ratio(pair: Pair, part: str, clock: str) -> float:
    studio, bare = pair
    return studio[part][clock] / bare[part][clock] - 1


def _overheads(part: str, name: str, pairs: list[Pair]) -> dict[str, object]:
    found: dict[str, object] = {}
    for clock in CLOCKS:
        percent = [100 * _ratio(pair, part, clock) for pair in pairs]
        found[f"{name}_{clock}_percent"] = round(statistics.median(percent), 2)
        found[f"{name}_{clock}_percent_95"] = [round(end, 2) for end in interval(percent)]
    return found


def interval(values: list[float]) -> tuple[float, float]:
    """95 % interval of the median: percentiles of medians over resampled values."""
    chance = random.Random(0)
    medians = sorted(
        statistics.median(chance.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    return medians[RESAMPLES // 40], medians[-(RESAMPLES // 40) - 1]


def _extra(pairs: list[Pair], seconds: Callable[[Reading], float]) -> float:
    return _middle(seconds(studio) - seconds(bare) for studio, bare in pairs)


def _trained(reading: Reading) -> float:
    return reading["train"]["cpu"]


def _around(reading: Reading) -> float:
    return _whole(reading) - _trained(reading)


def _whole(reading: Reading) -> float:
    return reading["whole"]["cpu"]


def _middle(values: Iterable[float]) -> float:
    return statistics.median(values)


def _seconds(pairs: list[Pair]) -> dict[str, float]:
    return {
        f"{name}_{clock}_s": round(_middle(pair[place]["whole"][clock] for pair in pairs), 1)
        for place, name in enumerate(("studio", "bare"))
        for clock in CLOCKS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=15, help="the three runs before included")
    parser.add_argument("--method", choices=("sft", "dpo"), default="sft")
    parser.add_argument("--steps", type=int, help="fewer or more than the preset's")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    flags = parser.parse_args()
    found = measure(flags.minutes, flags.method, flags.steps)
    if flags.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
