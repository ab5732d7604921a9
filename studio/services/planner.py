"""Plans runs in a warm child process, so that the studio itself never loads torch."""

from __future__ import annotations

from studio.config import RunConfig
from studio.config.checks import ensure_consistent
from studio.paths import Workspace
from studio.runs.plan import Plan
from studio.services.frozen import with_frozen_data
from studio.services.pipe import PipeWorker


class Planner:
    """Answers what a run would do; the child starts with the first question."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._child = PipeWorker(
            ["planner", "--workspace", str(workspace.root)], workspace.root / "planner.log"
        )

    def plan(self, config: RunConfig) -> Plan:
        """Parameters, steps and tokens of a run.

        Raises:
            InputError: It cannot be run; a `ConfigError` names every field at fault.
            RunFailedError: The planner died.
        """
        ensure_consistent(config)
        config = with_frozen_data(config, self._workspace)
        return Plan.from_json(self._child.call({"config": config.model_dump(mode="json")})["plan"])

    def close(self) -> None:
        """End the child."""
        self._child.close()
