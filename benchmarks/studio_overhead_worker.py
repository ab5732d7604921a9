"""Runs the studio's worker or the bare script as a user's process would, and times training.

`python studio_overhead_worker.py worker RUN_DIR TIMES` or `… script FOLDER TIMES` writes to TIMES, as
JSON, seconds of processor and of clock time that `Trainer.train` took. Loading `Trainer` first
costs neither side anything: both need it.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any


def watch(times: Path) -> None:
    """Have `Trainer.train` timed."""
    from transformers import Trainer

    train = Trainer.train

    def watched(*arguments: Any, **options: Any) -> Any:
        began, worked = time.perf_counter(), time.process_time()
        result = train(*arguments, **options)
        took = {"cpu": time.process_time() - worked, "wall": time.perf_counter() - began}
        times.write_text(json.dumps(took), encoding="utf-8")
        return result

    Trainer.train = watched


def main(kind: str, folder: str, times: str) -> None:
    """Do what the user's process does."""
    watch(Path(times).resolve())
    if kind == "worker":
        sys.argv = ["studio", "worker", folder]
        runpy.run_module("studio", run_name="__main__", alter_sys=True)
    else:
        os.chdir(folder)
        runpy.run_path("train.py", run_name="__main__")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    main(*sys.argv[1:])
