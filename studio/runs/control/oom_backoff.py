"""Fewer rows at once, the same effective batch: how a run goes on that memory ran out for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.config import RunConfig, run_file
from studio.core.paths import RunPaths
from studio.runs.checkpoints import latest_checkpoint, step_of
from studio.runs.event_log import EventLog


@dataclass(frozen=True)
class Less:
    """What to change in `batch`, and the sentence that says so."""

    changes: dict[str, Any]
    message: str


def next_smaller(config: RunConfig) -> int:
    """Return at most half the rows at once, such that every process keeps its share of the batch."""
    share = config.batch.total // config.launch.processes
    return next(n for n in range(config.batch.per_device // 2, 0, -1) if share % n == 0)


def less_at_once(config: RunConfig, paths: RunPaths) -> Less | None:
    """Return fewer rows at once, then gradient checkpointing; None when nothing is left or allowed.

    The run goes on from its last complete checkpoint.
    """
    batch, last = config.batch, latest_checkpoint(paths)
    start = f"from step {step_of(last) + 1:,} on" if last else "from the start"
    if batch.on_oom == "fail":
        return None
    if batch.per_device > 1 and not config.optimizer.updates_inside:
        smaller = next_smaller(config)
        return Less(
            {"per_device": smaller},
            f"Memory ran out: {smaller} row{'s' * (smaller > 1)} at once instead of "
            f"{batch.per_device} {start}, effective batch still {batch.total}.",
        )
    if batch.gradient_checkpointing:
        return None
    rows = "one row" if batch.per_device == 1 else f"{batch.per_device} rows"
    return Less(
        {"gradient_checkpointing": True},
        f"Memory ran out with {rows} at once: gradient checkpointing {start}.",
    )


def with_batch(
    config: RunConfig, paths: RunPaths, changes: dict[str, Any], message: str
) -> RunConfig:
    """Return `config` with some of `batch` changed, and write it to the run file and the event log."""
    config = config.model_copy(update={"batch": config.batch.model_copy(update=changes)})
    if paths.rank == 0:
        run_file.save(config, paths.config)
        EventLog(paths.events).append("changed", message=message, **changes)
    return config
