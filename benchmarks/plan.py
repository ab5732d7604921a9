"""Planned against measured peak memory, on random weights in the shapes of real models.

    python benchmarks/plan.py [--json] [--shapes tiny smolvlm-256m] [--tiles 5] [--paths fast stock]

Planned is the memory plan before anything is loaded; measured is the peak of two real steps on
the largest batch in a process of their own; error is planned over measured, less one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.shapes import SHAPES, save_random, write_rows
from studio.config import RunConfig, files
from studio.models.quiet import quiet_libraries
from studio.paths import Workspace

CHARTS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "chartqa"
STOCK = dict.fromkeys(("share_images", "share_prompts", "cache_features", "cache_reference"), "off")
SAMPLES = {"sft": "embedded:sft", "dpo": "embedded:preferences"}


def run_config(model: str, data: str, method: str, checkpointing: bool, path: str) -> RunConfig:
    """One variant: LoRA on the language model, the embedded model in batches of 8, others of 1."""
    size = 8 if model == "embedded" else 1
    return files.parse(
        {
            "method": method,
            "model": {"id": model},
            "data": {"source": data},
            "batch": {
                "per_device": size,
                "total": 2 * size,
                "gradient_checkpointing": checkpointing,
            },
            "speed": STOCK if path == "stock" else {},
        }
    )


def measure_one(config: RunConfig, workspace: Workspace) -> dict[str, Any]:
    """Planned and measured bytes of one variant."""
    from studio.train.memory.measure import measure
    from studio.train.plan import plan_run

    plan, _ = plan_run(config, workspace)
    measured = measure(config, workspace)
    return {
        "method": config.method,
        "checkpointing": config.batch.gradient_checkpointing,
        "planned": plan.memory.total,
        "measured": measured.peak,
        "error": plan.memory.total / measured.peak - 1,
        "seconds_per_step": measured.seconds_per_step,
        "parts": plan.memory.parts(),
    }


def rows(shapes: list[str], tiles: int, paths: list[str], workspace: Workspace) -> Any:
    """Every variant of every model."""
    for shape in shapes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            if shape != "embedded":
                save_random(SHAPES[shape], tiles, folder)
            for method in ("sft", "dpo"):
                source = SAMPLES[method]
                if shape != "embedded":
                    source = str(write_rows(folder, method, 4, data="charts", charts=CHARTS))
                for checkpointing in (False, True):
                    for path in paths:
                        model = shape if shape == "embedded" else place
                        config = run_config(model, source, method, checkpointing, path)
                        yield {"model": shape, "path": path, **measure_one(config, workspace)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--shapes", nargs="+", default=["embedded", "smolvlm-256m"])
    parser.add_argument("--tiles", type=int, default=5)
    parser.add_argument("--paths", nargs="+", default=["fast", "stock"])
    arguments = parser.parse_args()
    quiet_libraries()
    found = []
    with tempfile.TemporaryDirectory() as place:
        workspace = Workspace.locate(place)
        for row in rows(arguments.shapes, arguments.tiles, arguments.paths, workspace):
            found.append(row)
            print(
                f"{row['model']:<14}{row['method']:<5}{row['path']:<6}"
                f"{'checkpointing' if row['checkpointing'] else '':<15}"
                f"{row['planned'] / 2**20:>9,.0f} MiB planned {row['measured'] / 2**20:>9,.0f} "
                f"measured {row['error']:>+7.1%}",
                file=sys.stderr if arguments.json else sys.stdout,
                flush=True,
            )
    if arguments.json:
        print(json.dumps({"rows": found}))


if __name__ == "__main__":
    main()
