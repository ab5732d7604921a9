"""The planning child: `python -m studio planner`."""

from __future__ import annotations

from typing import Any

from studio.child import Request, serve
from studio.config import files
from studio.models.quiet import quiet_libraries
from studio.paths import Workspace
from studio.train.plan import plan_run


def main(workspace: Workspace) -> None:
    """Answer planning requests until standard input closes."""
    quiet_libraries()

    def handle(request: Request) -> dict[str, Any]:
        plan, _ = plan_run(files.parse(request.payload["config"]), workspace)
        return {"plan": plan.to_json()}

    serve(handle)
