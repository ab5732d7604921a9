"""The planning child: `python -m studio planner`."""

from __future__ import annotations

from typing import Any

from studio.child import Request, serve
from studio.config import files
from studio.models.quiet import quiet_libraries
from studio.paths import Workspace
from studio.train.memory.devices import Target
from studio.train.plan import plan_run


def main(workspace: Workspace) -> None:
    """Answer planning requests until standard input closes.

    A request holds `config` and, for a GPU that is not here, `gpu_gb`; one without `config` is
    answered as soon as the libraries are loaded.
    """
    quiet_libraries()

    def handle(request: Request) -> dict[str, Any]:
        payload = request.payload
        if "config" not in payload:
            return {}
        elsewhere = Target.gpu(payload["gpu_gb"]) if payload.get("gpu_gb") else None
        plan, _ = plan_run(files.parse(payload["config"]), workspace, elsewhere)
        return {"plan": plan.to_json()}

    serve(handle)
