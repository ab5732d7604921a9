"""The planning child: `python -m studio planner`."""

from __future__ import annotations

from typing import Any

from studio.child import Request, serve
from studio.config import files
from studio.models.quiet import quiet_libraries
from studio.paths import Workspace
from studio.train.memory.devices import Target
from studio.train.memory.find_batch import find_batch_size
from studio.train.plan import plan_run


def main(workspace: Workspace) -> None:
    """Answer planning requests until standard input closes.

    A request holds `config` and, for a GPU that is not here, `gpu_gb`; one without `config` is
    answered as soon as the libraries are loaded. The answer is a `plan`. With `find_batch` it is
    a `found` (`FoundBatch`); with `confirm` as well, after a dry step.
    """
    quiet_libraries()

    def handle(request: Request) -> dict[str, Any]:
        payload = request.payload
        if "config" not in payload:
            return {}
        config = files.parse(payload["config"])
        elsewhere = Target.gpu(payload["gpu_gb"]) if payload.get("gpu_gb") else None
        if payload.get("find_batch"):
            confirm = bool(payload.get("confirm"))
            found = find_batch_size(config, workspace, elsewhere, confirm=confirm)
            return {"found": found.to_json()}
        plan, _ = plan_run(config, workspace, elsewhere)
        return {"plan": plan.to_json()}

    serve(handle)
