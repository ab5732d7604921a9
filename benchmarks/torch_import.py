"""What `studio.core.torch_import` saves as a worker imports its libraries.

python benchmarks/torch_import.py [--repeat 5] [--json]

Each side imports in a fresh process, in turns, with warm byte code; the figure is processor time
(user and system) of the whole process, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = (
    "import torch, transformers, trl, peft, studio.training.worker, studio.training.trainers"
)
HELPED = f"from studio.core.torch_import import loading\nwith loading():\n    {LIBRARIES}"


def processor_seconds(code: str) -> float:
    """Run `code` in a fresh process; returns the seconds of processor time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(plain: str, helped: str, repeat: int) -> dict[str, float]:
    """Run both sides in turns; returns their medians and the share that is saved."""
    for code in (plain, helped):
        processor_seconds(code)  # byte code and the disk's cache
    times = [(processor_seconds(plain), processor_seconds(helped)) for _ in range(repeat)]
    without, with_helper = (statistics.median(side) for side in zip(*times, strict=True))
    return {
        "without": round(without, 2),
        "with": round(with_helper, 2),
        "saved": round(1 - with_helper / without, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    flags = parser.parse_args()
    figures = compare(LIBRARIES, HELPED, flags.repeat)
    if flags.json:
        print(json.dumps(figures))
        return
    print(
        f"{figures['without']:.2f} s -> {figures['with']:.2f} s of processor time, "
        f"{figures['saved']:.0%} saved"
    )


if __name__ == "__main__":
    main()
