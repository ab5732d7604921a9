"""Every model family: does the script of a run train as the run did, step by step?

    python benchmarks/eject.py [--json] [--only paligemma mllama]

Trains two steps of SFT and of DPO on a tiny random model of each family with the fast path off,
writes the run as a script, executes it, and shows the largest difference between two losses.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.models.log_levels import quiet_libraries
from tests.families.build import FAMILIES
from tests.families.ejected import ejected
from tests.families.trial import Bench

METHODS = ("sft", "dpo")
ALLOWED = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    arguments = parser.parse_args()
    quiet_libraries()
    rows = []
    # What trainers print goes to standard error: the result alone is on standard output.
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        bench = Bench(Path(folder))
        for family in arguments.only:
            apart = {
                method: ejected(bench, family, method, Path(folder, family + method)).apart
                for method in METHODS
            }
            rows.append({"family": family, **apart})
            told = "  ".join(f"{method} {value:.1e}" for method, value in apart.items())
            print(f"{family:20} {told}", file=sys.stderr)
    worst = max(row[method] for row in rows for method in METHODS)
    if arguments.json:
        print(json.dumps({"families": rows, "worst": worst, "allowed": ALLOWED}))
    else:
        print(
            f"{len(rows)} families, largest difference of a loss {worst:.1e} (allowed {ALLOWED:.0e})"
        )
    return 0 if worst <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
