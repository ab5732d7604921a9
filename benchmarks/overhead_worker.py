"""Trains the same thing by the studio's worker or by the bare script, forked with torch loaded.

`python overhead_worker.py` reads one JSON request a line, `{"worker": RUN_DIR}` or
`{"script": FOLDER}`, and answers each with one line: seconds of wall clock and of processor time,
of `Trainer.train` and of the whole work from settings to saved adapter.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

Reading = dict[str, float]


def timed(work: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, Reading]:
    """What `work` returns, and its seconds."""
    began, worked = time.perf_counter(), time.process_time()
    result = work(*arguments, **options)
    return result, {"wall": time.perf_counter() - began, "cpu": time.process_time() - worked}


def by_worker(folder: str) -> None:
    from studio.train.worker import main

    if main(Path(folder)) != 0:
        raise RuntimeError(Path(folder, "status.json").read_text(encoding="utf-8"))


def by_script(folder: str) -> None:
    os.chdir(folder)
    runpy.run_path("train.py", run_name="__main__")


def answer(request: dict[str, str]) -> dict[str, Reading]:
    """Do what is asked and say how long it took."""
    from transformers import Trainer

    found: dict[str, Reading] = {}
    train = Trainer.train

    def watched(*arguments: Any, **options: Any) -> Any:
        result, found["train"] = timed(train, *arguments, **options)
        return result

    Trainer.train = watched
    ((kind, folder),) = request.items()
    _, found["whole"] = timed({"worker": by_worker, "script": by_script}[kind], folder)
    return found


def _child(request: dict[str, str], answers: int) -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.write(answers, json.dumps(answer(request)).encode() + b"\n")
    os._exit(0)


def serve() -> None:
    """A fresh child for each request, so that none finds what another left in memory."""
    import torch

    from studio.models.quiet import quiet_libraries

    quiet_libraries()
    torch.set_num_threads(1)
    import trl  # noqa: F401

    import studio.train.run  # noqa: F401

    answers = os.dup(1)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _child(json.loads(line), answers)
        if os.waitpid(child, 0)[1] != 0:
            os.write(answers, b"{}\n")


if __name__ == "__main__":
    serve()
