"""What the studio costs over a bare TRL script on the same run: python benchmarks/overhead.py.

The same training, twice in turn: as a run of the studio (events, status, health, control file; its
fast path off) and as the script that `runs script` gives away, which is TRL alone. Both are fresh
processes on one thread; the figure is the trainer's own run time, so that loading does not count.
Pairs change their order. Probes are off, and measured apart. Where others use the machine too, the
fastest of each kind tell more than the medians.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.config import RunConfig, files
from studio.paths import Workspace
from studio.runs.store import Run, RunStore
from studio.services.eject import eject
from studio.services.launching import environment

LIMIT_PERCENT = 2.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SPEED = ("share_images", "share_prompts", "cache_features", "cache_reference")


def config(steps: int, probes: bool) -> RunConfig:
    """A run of the embedded model; everything that is written is written."""
    asked = {} if probes else {"count": 0, "forgetting": None}
    return files.parse(
        {
            "name": "overhead",
            "batch": {"per_device": 8, "total": 8},
            "data": {"source": "embedded:sft"},
            "schedule": {"max_steps": steps, "save_every": max(1, steps // 2)},
            "speed": dict.fromkeys(SPEED, "off"),
            "probes": asked,
        }
    )


def seconds(command: list[str], folder: Path) -> float:
    """The trainer's run time of a process that trains."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment() | ONE_THREAD,
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if "train_runtime" in line)
    return float(ast.literal_eval(line)["train_runtime"])


def by_studio(workspace: Workspace, steps: int, probes: bool = False) -> float:
    """One run of the studio's worker."""
    run = RunStore(workspace).create(config(steps, probes), state="starting")
    command = [sys.executable, "-m", "studio", "worker", str(run.paths.root)]
    return seconds(command, workspace.root)


def by_script(run: Run, workspace: Workspace, folder: Path) -> float:
    """One run of the bare script."""
    if not (folder / "train.py").is_file():
        eject(run, workspace, folder)
    return seconds([sys.executable, "train.py"], folder)


def measure(pairs: int, steps: int) -> dict[str, object]:
    """Medians, and the median overhead of a pair."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = Workspace.locate(folder / "workspace")
        run = RunStore(workspace).create(config(steps, False), state="stopped")
        by_script(run, workspace, folder / "bare")
        by_studio(workspace, steps)
        bare, studio = [], []
        for pair in range(pairs):
            for studio_turn in (pair % 2 == 0, pair % 2 == 1):
                if studio_turn:
                    studio.append(by_studio(workspace, steps))
                else:
                    bare.append(by_script(run, workspace, folder / "bare"))
        probed = by_studio(workspace, steps, probes=True)
    ratios = [100 * (mine / plain - 1) for mine, plain in zip(studio, bare, strict=True)]
    return {
        "pairs": pairs,
        "steps": steps,
        "bare_seconds": round(statistics.median(bare), 2),
        "studio_seconds": round(statistics.median(studio), 2),
        "overhead_percent": round(statistics.median(ratios), 2),
        "overhead_percent_of_fastest": round(100 * (min(studio) / min(bare) - 1), 2),
        "overhead_percent_each": [round(ratio, 2) for ratio in ratios],
        "limit_percent": LIMIT_PERCENT,
        "studio_with_probes_seconds": round(probed, 2),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    flags = parser.parse_args()
    found = measure(flags.pairs, flags.steps)
    if flags.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
