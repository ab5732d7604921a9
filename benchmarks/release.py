"""Is what is released what was trained? Every kind of training, on rows that none has seen.

    python benchmarks/release.py [--json] [--rows 200] [--steps 40] [--only lora nf4]

Trains the embedded model, releases adapter and merged model as `python -m studio release` does, and
shows what a fresh process with plain transformers answers beside the run. A merge into the base in
full precision of what was trained on 4 bits is measured, too, though it is refused.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.config import run_file
from studio.core.paths import Workspace
from studio.launch import release as releases
from studio.launch.release import ReleaseRequest, release
from studio.models.log_levels import quiet_libraries
from studio.release.verification import Verification
from studio.runs.checkpoints import has_adapter
from studio.runs.status import update_status
from studio.runs.store import RunStore
from studio.training.run_training import execute

KINDS = {
    "lora": {"adapter": {}},
    "nf4": {"model": {"quantization": "nf4"}},
    "int8": {"model": {"quantization": "int8"}},
    "dora": {"adapter": {"dora": True}},
    "vision": {"adapter": {"targets": "language+vision+projector", "rslora": True}},
    "whole modules": {"adapter": {"modules_to_save": ["connector"], "bias": "all"}},
    "every weight": {"adapter": None},
}
RECIPE = {
    "method": "sft",
    "data": {"source": "embedded:sft"},
    "adapter": {"rank": 8, "alpha": 16},
    "batch": {"per_device": 8, "total": 8},
    "optimizer": {"learning_rate": 2e-3, "schedule": "constant", "warmup": 0},
    "probes": {"count": 0, "forgetting": None},
}
SHOWN = ("equal", "largest", "base_equal", "base_largest")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    arguments = parser.parse_args()
    quiet_libraries()
    found: list[dict] = []
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
        workspace = Workspace.locate(folder)
        for kind in arguments.only:
            run = _trained(workspace, kind, arguments.steps)
            for what in _released(workspace, run, arguments.rows, kind):
                found.append({"kind": kind, **what})
                sys.stderr.write(_line(found[-1]) + "\n")
    if arguments.json:
        sys.stdout.write(json.dumps({"rows": arguments.rows, "released": found}) + "\n")
    else:
        sys.stdout.write("\n".join(map(_line, found)) + "\n")
    return int(any(one["problem"] for one in found if one["what"] != "merged into base"))


def _trained(workspace: Workspace, kind: str, steps: int) -> str:
    values = {**RECIPE, "name": kind, "schedule": {"max_steps": steps, "save_every": 1000}}
    for name, changes in KINDS[kind].items():
        values[name] = {**values.get(name, {}), **changes} if changes is not None else None
    if values["adapter"] is None:
        values["optimizer"] = {**values["optimizer"], "learning_rate": 2e-4}
    config = run_file.parse(values)
    run = RunStore(workspace).create(config)
    execute(config, run.paths, workspace)
    update_status(run.paths, state="finished")
    assert has_adapter(run.paths)
    return run.run_id


def _released(workspace: Workspace, run: str, rows: int, kind: str) -> list[dict]:
    """What came of each artefact; one that is refused is measured all the same."""
    measured: list[dict] = []

    def note(found: Verification, what: str) -> None:
        measured.append({"what": what, **asdict(found), "problem": found.problem})

    request = ReleaseRequest(run, merge=True, data="embedded:heldout", rows=rows)
    releases.ensure_release = note
    release(workspace, request)
    if kind in ("nf4", "int8"):
        releases.ensure_release = lambda found, what: note(found, "merged into base")
        into_base = ReleaseRequest(run, merge=True, into="base", data="embedded:heldout", rows=rows)
        release(workspace, into_base)
    return measured


def _line(one: dict) -> str:
    return (
        f"{one['kind']:14} {one['what']:17} {100 * one['equal']:5.1f} % equal, largest difference "
        f"{one['largest']:.2g} nats (base: {100 * one['base_equal']:.1f} %, {one['base_largest']:.2g})"
    )


if __name__ == "__main__":
    sys.exit(main())
