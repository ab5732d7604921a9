"""Every model family on the studio's own path: what works, and how long it takes.

    python benchmarks/families.py [--json] [--write] [--only qwen3_vl gemma3]

Builds tiny random models, plans, takes one SFT and one DPO step, one over NF4 weights, and lets
them answer. `--write` writes docs/support-matrix.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.models.log_levels import quiet_libraries
from tests.families.build import FAMILIES
from tests.families.by_hand import measured
from tests.families.matrix import render
from tests.families.trial import Bench, Trial

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "support-matrix.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    arguments = parser.parse_args()
    if arguments.write and len(arguments.only) < len(FAMILIES):
        parser.error("--write needs every family: leave out --only.")
    quiet_libraries()
    trials, by_hand, seconds = [], {}, {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for family in arguments.only:
            started = time.process_time()
            trials.append(bench.trial(family))
            by_hand[family] = measured(bench, family)
            seconds[family] = round(time.process_time() - started, 2)
            print(f"{family}: {seconds[family]} s of CPU", file=sys.stderr)
    if arguments.write:
        PAGE.write_text(render(trials, by_hand), encoding="utf-8")
    if arguments.json:
        print(json.dumps([_figures(t, by_hand[t.family], seconds[t.family]) for t in trials]))
    elif not arguments.write:
        print(render(trials, by_hand))


def _figures(trial: Trial, by_hand: dict[str, float], seconds: float) -> dict:
    return {
        "family": trial.family,
        "model_type": trial.kind,
        "parameters": trial.parameters,
        "trainable": trial.trainable,
        "by_hand": by_hand,
        "loss": {method: step.loss for method, step in trial.steps.items()},
        "fast_path": trial.steps["dpo"].fast_path.values,
        "answer_tokens": trial.answer.tokens,
        "cpu_seconds": seconds,
    }


if __name__ == "__main__":
    main()
