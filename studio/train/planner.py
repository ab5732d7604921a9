"""The planning child: `python -m studio planner`."""

from __future__ import annotations

import queue
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from studio.child import Request, serve
from studio.config import RunConfig, files
from studio.models.quiet import quiet_libraries
from studio.paths import Workspace
from studio.runs.lr_range import Point, Span
from studio.train.memory.devices import Target
from studio.train.memory.find_batch import find_batch_size
from studio.train.plan import plan_run

Values = dict[str, Any]


def main(workspace: Workspace) -> None:
    """Answer planning requests until standard input closes.

    A request holds `config` and, for a GPU that is not here, `gpu_gb`; one without `config` is
    answered as soon as the libraries are loaded. The answer is a `plan`. With `find_batch` it is
    a `found` (`FoundBatch`); with `confirm` as well, after a dry step. With `lr_range` (a `Span`)
    every step is a `point`, and the last message a `found` (`RangeResult`).
    """
    quiet_libraries()

    def handle(request: Request) -> Values | Generator[Values, None, Values]:
        payload = request.payload
        if "config" not in payload:
            return {}
        config = files.parse(payload["config"])
        elsewhere = Target.gpu(payload["gpu_gb"]) if payload.get("gpu_gb") else None
        if payload.get("lr_range"):
            return _range_test(config, workspace, Span(**payload["lr_range"]))
        if payload.get("find_batch"):
            confirm = bool(payload.get("confirm"))
            found = find_batch_size(config, workspace, elsewhere, confirm=confirm)
            return {"found": found.to_json()}
        plan, _ = plan_run(config, workspace, elsewhere)
        return {"plan": plan.to_json()}

    serve(handle)


def _range_test(
    config: RunConfig, workspace: Workspace, span: Span
) -> Generator[Values, None, Values]:
    from studio.train.lr_range import range_test

    steps: queue.SimpleQueue[Point | None] = queue.SimpleQueue()
    with ThreadPoolExecutor(1) as pool:
        test = pool.submit(range_test, config, workspace, span, steps.put)
        test.add_done_callback(lambda _: steps.put(None))
        while (point := steps.get()) is not None:
            yield {"point": asdict(point)}
        return {"found": test.result().to_json()}
