"""Plans and measures runs in child processes, so that the studio itself never loads torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict

from studio.config import RunConfig
from studio.config.checks import ensure_consistent
from studio.paths import Workspace
from studio.runs.lr_range import Point, RangeResult, Span
from studio.runs.plan import FoundBatch, Plan
from studio.services.frozen import with_frozen_data
from studio.services.pipe import PipeWorker
from studio.train.memory.measure import Measured, measure


class Planner:
    """Answers what a run would do; the child starts with the first question, or with `warm`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._child = PipeWorker(
            ["planner", "--workspace", str(workspace.root)], workspace.root / "planner.log"
        )
        self._trying = PipeWorker(
            ["planner", "--workspace", str(workspace.root)], workspace.root / "lr-range.log"
        )
        self._answered = 0
        self._measuring = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether the child has loaded its libraries, so that a plan takes a moment only."""
        return self._answered != 0 and self._answered == self._child.pid

    def warm(self) -> None:
        """Start the child ahead of the first question; does not wait for it."""
        if not self._child.alive:
            self._child.request({})

    def plan(self, config: RunConfig, gpu_gb: float | None = None) -> Plan:
        """Parameters, memory, steps and tokens of a run, here or on a GPU with `gpu_gb` GiB.

        Raises:
            InputError: It cannot be run; a `ConfigError` names every field at fault.
            RunFailedError: The planner died.
        """
        ensure_consistent(config)
        config = with_frozen_data(config, self._workspace)
        payload = {"config": config.model_dump(mode="json"), "gpu_gb": gpu_gb}
        found = Plan.from_json(self._child.call(payload)["plan"])
        self._answered = self._child.pid
        return found

    def find_batch(self, config: RunConfig, gpu_gb: float | None = None) -> FoundBatch:
        """The most rows at once that there is room for; on this machine a dry step confirms it.

        Raises:
            InputError: The run cannot start.
            RunFailedError: The planner or the process of the dry step died.
        """
        ensure_consistent(config)
        config = with_frozen_data(config, self._workspace)
        payload = {
            "config": config.model_dump(mode="json"),
            "gpu_gb": gpu_gb,
            "find_batch": True,
            "confirm": gpu_gb is None,
        }
        with self._measuring:
            return FoundBatch.from_json(self._child.call(payload)["found"])

    def measure(self, config: RunConfig) -> Measured:
        """Peak and seconds of two real steps on the largest batch; one measurement at a time.

        Raises:
            InputError: The run cannot start.
            RunFailedError: The process of the dry step died.
        """
        ensure_consistent(config)
        config = with_frozen_data(config, self._workspace)
        with self._measuring:
            return measure(config, self._workspace)

    def range_test(
        self, config: RunConfig, span: Span | None = None
    ) -> Iterator[Point | RangeResult]:
        """Every step of a learning-rate range test, then what follows from them.

        It trains in a child of its own that ends with it; one test at a time.

        Raises:
            InputError: The run cannot start.
            RunFailedError: Memory ran out, the child died, or `stop_range_test` ended it.
        """
        ensure_consistent(config)
        config = with_frozen_data(config, self._workspace)
        values = {
            "config": config.model_dump(mode="json"),
            "lr_range": asdict(span or Span()),
        }
        with self._measuring:
            try:
                with self._trying.request(values) as reply:
                    for message in reply:
                        if "point" in message:
                            yield Point(**message["point"])
                        else:
                            yield RangeResult.from_json(message["found"])
            finally:
                self._trying.close()

    def stop_range_test(self) -> None:
        """End a test under way; nothing of it is kept."""
        self._trying.close()

    def close(self) -> None:
        """End the children."""
        self._trying.close()
        self._child.close()
