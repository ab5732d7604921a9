"""This version beside another checkout of it: python benchmarks/compare.py ../other-checkout.

Each benchmark is run in both folders in turns, with this Python, so that both sides share the load
of the machine; the figures are medians of the rounds, and the ratio is this version's to the other's.
Give names of benchmarks to run only these.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = {
    "startup": ("--repeat", "3"),
    "library": ("--rows", "20000"),
    "annotation": ("--annotators", "10", "--labels", "1000"),
    "training": ("--shape", "tiny"),
    "plan": ("--shapes", "embedded", "--checkpointing", "off"),
}


def figures(folder: Path, name: str) -> dict[str, float]:
    """Run one benchmark in a checkout; returns every number that it prints, by its path."""
    command = [sys.executable, f"benchmarks/{name}.py", *BENCHMARKS[name], "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed in {folder}:\n{done.stderr[-2000:]}")
    return dict(_numbers(json.loads(done.stdout)))


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _numbers(inner, f"{path}[{number}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="a checkout of another version")
    parser.add_argument("names", nargs="*", default=list(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    for name in flags.names:
        rounds = [(figures(flags.other, name), figures(ROOT, name)) for _ in range(flags.rounds)]
        print(name)
        for key in rounds[0][1]:
            sides = [[side[key] for side in pair if key in side] for pair in rounds]
            if all(len(pair) == 2 for pair in sides):
                other, here = (statistics.median(side) for side in zip(*sides, strict=True))
                ratio = f"{here / other:6.2f}" if other else "     –"
                print(f"  {key:50} {other:12.4g} {here:12.4g} {ratio}")


if __name__ == "__main__":
    main()
