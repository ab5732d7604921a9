"""Planned against measured peak memory, on random weights in the shapes of real models.

    python benchmarks/plan.py [--json | --markdown]
                              [--shapes embedded smolvlm-256m] [--paths fast stock]
                              [--methods sft dpo] [--checkpointing off on] [--runs]
                              [--dtype auto] [--quantization none] [--device cpu|cuda]

Planned is the memory plan before anything is loaded; measured is the peak resident memory of two
real steps on the largest batch in a process of their own, or with `--device cuda` what the CUDA
allocator reserved for them and the context; error is planned over measured, less one. With
`--runs` the plan, now corrected by that dry step, is held against the peak of a whole run of
several steps by the training worker (`run_error`): the most resident memory until it has ended.
Pages of shared libraries that its process still reads while it exits are not the run's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.random_models import SHAPES, save_random, write_rows
from studio.config import RunConfig, run_file
from studio.config.speed import SAVINGS
from studio.core.paths import Workspace
from studio.models.log_levels import quiet_libraries
from studio.runs.status import read_status
from studio.runs.store import RunStore

ROOT = Path(__file__).resolve().parent.parent
CHARTS = ROOT.parent / "shared" / "data"
STOCK = dict.fromkeys(SAVINGS, "off")
SAMPLES = {"sft": "embedded:sft", "dpo": "embedded:preferences"}
RUN_STEPS = 4
LOOK_SECONDS = 0.1


def run_config(
    arguments: argparse.Namespace, model: dict[str, str], data: str, variant: dict[str, Any]
) -> RunConfig:
    """One variant: LoRA on the language model, the embedded model in batches of 8, others of 1."""
    size = arguments.batch or (8 if model["id"] == "embedded" else 1)
    method, checkpointing = variant["method"], variant["checkpointing"]
    return run_file.parse(
        {
            "method": method,
            "model": model,
            "data": {"source": data},
            "batch": {
                "per_device": size,
                "total": 2 * size,
                "gradient_checkpointing": checkpointing,
            },
            "schedule": {"max_steps": RUN_STEPS, "epochs": 10},
            "probes": {"count": 0, "forgetting": None},
            "speed": STOCK if variant["path"] == "stock" else {},
        }
    )


def measure_one(config: RunConfig, workspace: Workspace, runs: bool) -> dict[str, Any]:
    """Planned and measured bytes of one variant."""
    from studio.training.planning.dry_step import calibrated, measure
    from studio.training.planning.preflight_plan import plan_run

    plan, _ = plan_run(config, workspace)
    measured = measure(config, workspace)
    found = {
        "method": config.method,
        "checkpointing": config.batch.gradient_checkpointing,
        "planned": plan.memory.total,
        "measured": measured.peak,
        "error": plan.memory.total / measured.peak - 1,
        "seconds_per_step": measured.seconds_per_step,
        "parts": plan.memory.parts(),
    }
    if runs:
        found["run_peak"] = peak_of_run(config, workspace)
        total = calibrated(plan, measured).memory.total
        found["run_error"] = total / found["run_peak"] - 1
    return found


def peak_of_run(config: RunConfig, workspace: Workspace) -> int:
    """Most resident bytes of a training worker until its run has ended."""
    run, peak = RunStore(workspace).create(config), 0
    command = [sys.executable, "-m", "studio", "worker", str(run.paths.root)]
    with (run.paths.root / "worker.txt").open("w") as log:
        child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        while child.poll() is None:
            held = high_water(child.pid)
            if read_status(run.paths).state == "finished":
                break
            peak = max(peak, held)
            time.sleep(LOOK_SECONDS)
    if child.wait():
        raise SystemExit(read_status(run.paths).message)
    return peak


def high_water(pid: int) -> int:
    """Most bytes that a process has had resident so far; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def rows(arguments: argparse.Namespace, workspace: Workspace) -> Iterator[dict[str, Any]]:
    """Every variant of every model."""
    for shape in arguments.shapes:
        with tempfile.TemporaryDirectory() as place:
            if shape != "embedded":
                save_random(SHAPES[shape], arguments.tiles, Path(place))
            for method, checkpointing, path in itertools.product(
                arguments.methods, arguments.checkpointing, arguments.paths
            ):
                source = SAMPLES[method]
                if shape != "embedded":
                    source = str(write_rows(Path(place), method, 4, data="charts", charts=CHARTS))
                model = {
                    "id": shape if shape == "embedded" else place,
                    "dtype": arguments.dtype,
                    "quantization": arguments.quantization,
                }
                variant = {"method": method, "checkpointing": checkpointing == "on", "path": path}
                config = run_config(arguments, model, source, variant)
                row = measure_one(config, workspace, arguments.runs)
                yield {"model": shape, "path": path, **row}


def shown(row: dict[str, Any]) -> str:
    """One line of the table."""
    text = (
        f"{row['model']:<14}{row['method']:<5}{row['path']:<6}"
        f"{'checkpointing' if row['checkpointing'] else '':<15}"
        f"{row['planned'] / 2**20:>9,.0f} MiB planned {row['measured'] / 2**20:>9,.0f} "
        f"measured {row['error']:>+7.1%}"
    )
    if "run_peak" in row:
        text += f"{row['run_peak'] / 2**20:>9,.0f} in a run {row['run_error']:>+7.1%}"
    return text


HEAD = """\
| Model | Method | Path | Checkpointing | Planned | Dry step | Error \
| Whole run | Error after the dry step |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def markdown(row: dict[str, Any]) -> str:
    """One row of the table in docs/memory-plan.md."""

    def mib(size: int) -> str:
        return f"{size / 2**20:,.0f} MiB"

    def percent(error: float) -> str:
        return f"{100 * error:+.1f} %".replace("-", "−")

    cells = [row["model"], row["method"].upper(), row["path"]]
    cells += ["on" if row["checkpointing"] else "off"]
    cells += [mib(row["planned"]), mib(row["measured"]), percent(row["error"])]
    ran = "run_peak" in row
    cells += [mib(row["run_peak"]), percent(row["run_error"])] if ran else ["", ""]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true", help="the table of the docs")
    parser.add_argument("--shapes", nargs="+", default=["embedded", "smolvlm-256m"])
    parser.add_argument("--tiles", type=int, default=5)
    parser.add_argument("--paths", nargs="+", default=["fast", "stock"])
    parser.add_argument("--methods", nargs="+", default=["sft", "dpo"])
    parser.add_argument("--checkpointing", nargs="+", default=["off", "on"])
    parser.add_argument("--runs", action="store_true")
    parser.add_argument("--batch", type=int, help="rows at once; 8 embedded, else 1")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--quantization", default="none")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    if arguments.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif arguments.runs:
        parser.error("--runs measures resident memory: leave it out with --device cuda.")
    if arguments.runs and not Path("/proc/self/status").exists():
        parser.error("--runs reads a process's resident memory from /proc, which Linux has.")
    quiet_libraries()
    found = []
    with tempfile.TemporaryDirectory() as place:
        for row in rows(arguments, Workspace.locate(place)):
            found.append(row)
            stream = sys.stderr if arguments.json or arguments.markdown else sys.stdout
            print(shown(row), file=stream, flush=True)
    if arguments.json:
        print(json.dumps({"rows": found}))
    if arguments.markdown:
        print("\n".join([HEAD, *map(markdown, found)]))


if __name__ == "__main__":
    main()
