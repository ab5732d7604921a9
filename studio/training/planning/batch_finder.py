"""The most rows at once that a device has room for; the effective batch stays what it is."""

from __future__ import annotations

import threading
from dataclasses import replace

from studio.config import RunConfig
from studio.config.job_flavors import sent_elsewhere
from studio.core.errors import ConfigError, FieldProblem, StoppedError
from studio.core.paths import Workspace
from studio.runs.run_plan import FoundBatch
from studio.training.planning.device_memory import Target
from studio.training.planning.dry_step import measure
from studio.training.planning.memory_estimate import estimate
from studio.training.planning.preflight_plan import Facts, gather, largest_batch

MOST_ROWS = 256
NOT_KNOWN = FieldProblem(
    "launch.engine",
    "How much memory the flavor of this job has is not known here.",
    "Say it with `--device-memory 24GB`, or choose a flavor named after its GPU.",
)
NOT_HERE = FieldProblem(
    "batch.per_device",
    "A dry step runs on this machine, not on the device planned for.",
    "Leave out one of the two.",
)


def find_batch_size(
    config: RunConfig,
    workspace: Workspace,
    target: Target | None = None,
    *,
    confirm: bool = False,
    stopped: threading.Event | None = None,
) -> FoundBatch:
    """Search the divisors of the effective batch by plan; with `confirm`, by a dry step as well.

    A run that is sent elsewhere has no dry step here, so its size is found by plan only.

    Args:
        target: The device to plan for; this machine's when None.
        confirm: Run a real step of the size found, and of smaller ones while memory runs out.
        stopped: Ends the search when it is set.

    Raises:
        InputError: The run cannot start, a dry step was asked for on a device not here, or how
            much memory the device has is not known.
        RunFailedError: The process of a dry step died, or there is no room even for the weights.
        StoppedError: `stopped` was set.
    """
    if confirm and target is not None:
        raise ConfigError([NOT_HERE])
    facts = gather(config, workspace, target)
    if not facts.target.memory:
        raise ConfigError([NOT_KNOWN])
    search = _Search(config, workspace, facts, stopped or threading.Event())
    found = search.by_plan()
    return search.confirmed(found) if confirm and not sent_elsewhere(config) else found


def possible_sizes(config: RunConfig, rows: int) -> list[int]:
    """Return the rows at once that keep the effective batch exactly, ascending.

    Args:
        rows: Training rows there are; no batch is larger, nor than `MOST_ROWS`.
    """
    share = config.batch.total // config.launch.processes
    if config.optimizer.updates_inside:
        return [share]
    sizes = [size for size in range(1, share + 1) if share % size == 0]
    return [size for size in sizes if size == 1 or size <= min(rows, MOST_ROWS)]


class _Search:
    def __init__(
        self, config: RunConfig, workspace: Workspace, facts: Facts, stopped: threading.Event
    ) -> None:
        self.config, self.workspace, self.facts = config, workspace, facts
        self.stopped = stopped
        self.sizes = possible_sizes(config, facts.data.train.used)
        self._known: dict[int, int] = {}

    def by_plan(self) -> FoundBatch:
        """Find the size by doubling until there is no room, then bisecting: bytes grow with the
        rows.
        """
        low, high, step = 0, len(self.sizes) - 1, 1
        while low < high:
            middle = min(low + step, high) if step else (low + high + 1) // 2
            if self._fits(self.sizes[middle]):
                low, step = middle, step * 2
            else:
                high, step = middle - 1, 0
        return self._found(low)

    def confirmed(self, found: FoundBatch) -> FoundBatch:
        """Return the largest size, from `found` down, whose dry step does not run out of memory."""
        tried: list[int] = []
        for index in range(self.sizes.index(found.per_device), -1, -1):
            size = self.sizes[index]
            measured = measure(self._with(size), self.workspace, self.stopped)
            if measured.peak is not None:
                return replace(
                    self._found(index),
                    fits=measured.peak <= self.facts.target.memory,
                    measured=measured.peak,
                    seconds_per_step=measured.seconds_per_step,
                    tried=tried,
                )
            tried.append(size)
        return replace(self._found(0), fits=False, tried=tried)

    def _fits(self, size: int) -> bool:
        return self._planned(size) <= self.facts.target.memory

    def _planned(self, size: int) -> int:
        if self.stopped.is_set():
            raise StoppedError("The search was stopped; no batch size was found.")
        if size not in self._known:
            facts, config = self.facts, self._with(size)
            batch, _ = largest_batch(config, facts, size)
            made = estimate(
                config, self.workspace, facts.processor, batch, facts.dtype, facts.target
            )
            self._known[size] = made.memory.total
        return self._known[size]

    def _found(self, index: int) -> FoundBatch:
        size = self.sizes[index]
        larger = self.sizes[index + 1] if index + 1 < len(self.sizes) else None
        return FoundBatch(
            per_device=size,
            total=self.config.batch.total,
            accumulation=self._with(size).accumulation,
            planned=self._planned(size),
            device_memory=self.facts.target.memory,
            fits=self._fits(size),
            larger=larger,
            larger_planned=self._planned(larger) if larger else None,
        )

    def _with(self, size: int) -> RunConfig:
        batch = self.config.batch.model_copy(update={"per_device": size})
        return self.config.model_copy(update={"batch": batch})
