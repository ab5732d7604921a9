"""SFT and DPO on real charts and pairs with the embedded model, unquantized and at NF4.

    python benchmarks/real_data.py [--data ../shared/data] [--rows 64] [--json]

Prints the mean loss over the first and the last quarter of the steps.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.config import RunConfig, run_file
from studio.core.paths import Workspace
from studio.models.log_levels import quiet_libraries
from studio.runs.event_log import read_events
from studio.runs.store import RunStore

SETS = (
    ("sft", "chartqa/human.jsonl"),
    ("dpo", "mllm_bench/pairs.jsonl"),
    ("sft", "multichart/multi_image_qa.jsonl"),
)
RATES = {"sft": 1e-3, "dpo": 3e-4}


def config_for(method: str, source: Path, quantization: str, rows: int) -> RunConfig:
    """Two epochs over the first `rows` rows."""
    return run_file.parse(
        {
            "name": f"{source.parent.name}-{method}-{quantization}",
            "method": method,
            "model": {"quantization": quantization},
            "data": {"source": str(source), "train": f"train[:{rows}]"},
            "batch": {"per_device": 4, "total": 8},
            "optimizer": {"learning_rate": RATES[method]},
            "schedule": {"epochs": 2},
        }
    )


def losses_of(config: RunConfig, workspace: Workspace) -> list[float]:
    """Train in this process; the loss of each step."""
    from studio.training.run_training import execute

    run = RunStore(workspace).create(config)
    with contextlib.redirect_stdout(sys.stderr):
        execute(config, run.paths, workspace)
    events = read_events(run.paths.events).events
    return [event.values["loss"] for event in events if "loss" in event.values]


def measure(data: Path, rows: int, workspace: Workspace) -> list[dict[str, object]]:
    """One row per data set and quantization."""
    found = []
    for method, name in SETS:
        for quantization in ("none", "nf4"):
            losses = losses_of(config_for(method, data / name, quantization, rows), workspace)
            quarter = max(1, len(losses) // 4)
            found.append(
                {
                    "method": method,
                    "data": name.split("/")[0],
                    "quantization": quantization,
                    "steps": len(losses),
                    "first": statistics.fmean(losses[:quarter]),
                    "last": statistics.fmean(losses[-quarter:]),
                    "finite": all(map(math.isfinite, losses)),
                }
            )
            sys.stderr.write(f"{found[-1]}\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.data, arguments.rows, Workspace.locate(folder))
    if arguments.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        print(
            f"{row['method']:<4} {row['data']:<12} {row['quantization']:<5} {row['steps']:>4} steps"
            f"  first {row['first']:.4f}  last {row['last']:.4f}  finite {row['finite']}"
        )


if __name__ == "__main__":
    main()
