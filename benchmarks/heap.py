"""Peak memory and time of training on a CPU by where the C library's mappings begin.

    python benchmarks/heap.py [--method sft|dpo] [--path stock|fast] [--json]

One row on the widths of SmolVLM-256M with 8 language and 4 vision layers, 5 tiles, gradient
checkpointing, one thread, each setting in a process of its own: as glibc likes it, 512 KiB, and
what training processes use (`studio/training/planning/allocator_heap.py`). Ratios are against the first.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.random_models import SHAPES, save_random, write_rows
from benchmarks.training import CHARTS, settings
from studio.core.paths import Workspace
from studio.training.planning import allocator_heap

WAYS = ("glibc", "512 KiB", "training")
STEPS = 2
GIB = 2**30


def one(way: str, folder: Path, path: str) -> dict[str, float]:
    """Train `STEPS` steps in this process; peak in bytes, seconds of the last step."""
    from benchmarks.training_worker import Worker, peak_bytes
    from studio.models.log_levels import quiet_libraries

    if way == "training":
        allocator_heap.return_freed_memory()
    elif way == "512 KiB":
        ctypes.CDLL(None).mallopt(allocator_heap.M_MMAP_THRESHOLD, 512 * 1024)
    quiet_libraries()
    values = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    worker = Worker(path, values, Workspace.locate(folder / way.replace(" ", "")))
    worker.fill()
    taken = [worker.step() for _ in range(STEPS)]
    return {"peak": peak_bytes(), "seconds": taken[-1]["seconds"], "cpu": taken[-1]["cpu"]}


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    """Every way in turn."""
    shape = replace(SHAPES["smolvlm-256m"], layers=8, vision_layers=4)
    save_random(shape, 5, folder / "model")
    rows = write_rows(folder, arguments.method, STEPS, data="charts", charts=CHARTS)
    wanted = argparse.Namespace(
        method=arguments.method, dtype="float32", quantization="none", attention="auto", batch=1,
        checkpointing=True, epochs=1,
    )  # fmt: skip
    values = settings(wanted, folder, rows)
    (folder / "settings.json").write_text(json.dumps(values), encoding="utf-8")
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--one", way, str(folder), "--path", arguments.path]
        told = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        found[way] = json.loads(told.stdout.splitlines()[-1])
        print(shown(way, found[way], found[WAYS[0]]), file=sys.stderr, flush=True)
    return found


def shown(way: str, value: dict[str, float], first: dict[str, float]) -> str:
    """One line of the table."""
    return (
        f"{way:<10}{value['peak'] / GIB:>6.2f} GiB ({value['peak'] / first['peak']:.2f}×)"
        f"{value['seconds']:>8.2f} s a step ({value['seconds'] / first['seconds']:.2f}×)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", choices=("sft", "dpo"), default="sft")
    parser.add_argument("--path", choices=("stock", "fast"), default="stock")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    if arguments.one:
        way, folder = arguments.one
        print(json.dumps(one(way, Path(folder), arguments.path)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
