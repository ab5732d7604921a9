"""Final loss of SFT and DPO on the embedded samples: unquantized, int8 and NF4.

    python benchmarks/quantization.py [--json]

The run is the embedded preset; the final loss is the mean over the last ten steps.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.config import RunConfig, presets
from studio.core.paths import Workspace
from studio.models.log_levels import quiet_libraries
from studio.runs.event_log import read_events
from studio.runs.store import RunStore

LAST = 10
QUANTIZATIONS = ("none", "int8", "nf4")


def final_loss(config: RunConfig, workspace: Workspace) -> float:
    """Train `config` in this process; the mean of its last losses."""
    from studio.training.run_training import execute

    run = RunStore(workspace).create(config)
    with contextlib.redirect_stdout(sys.stderr):
        execute(config, run.paths, workspace)
    events = read_events(run.paths.events).events
    losses = [event.values["loss"] for event in events if "loss" in event.values]
    return statistics.fmean(losses[-LAST:])


def measure(workspace: Workspace) -> list[dict[str, object]]:
    """One row per method."""
    rows = []
    for preset in ("embedded-sft", "embedded-dpo"):
        config = presets.load(preset)
        losses = {}
        for quantization in QUANTIZATIONS:
            model = config.model.model_copy(update={"quantization": quantization})
            losses[quantization] = final_loss(config.model_copy(update={"model": model}), workspace)
        spread = max(losses.values()) / min(losses.values()) - 1
        rows.append({"method": config.method, **losses, "spread": spread})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Workspace.locate(folder))
    if arguments.json:
        print(json.dumps({"rows": rows}))
        return
    print(f"{'':<6}{'none':>10}{'int8':>10}{'nf4':>10}{'spread':>10}")
    for row in rows:
        print(
            f"{row['method']:<6}{row['none']:>10.4f}{row['int8']:>10.4f}{row['nf4']:>10.4f}"
            f"{row['spread']:>10.1%}"
        )


if __name__ == "__main__":
    main()
