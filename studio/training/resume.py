"""Going on exactly: a run remembers what it was started with, and refuses to go on with less.

The rows are remembered by their number and a digest of their texts and images in order, so that
the step a checkpoint stopped at is followed by the row that would have come next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.core.errors import DataError
from studio.core.paths import RunPaths, read_json, write_json
from studio.core.plurals import counted
from studio.runs import checkpoints
from studio.runs.control.resumable_changes import ensure_resumable
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from studio.training.run_rows import RunData


def checkpoint_to_resume(config: RunConfig, paths: RunPaths, data: RunData) -> Path | None:
    """Return the complete checkpoint to go on from; None for a run that begins.

    Raises:
        ConfigError: Settings differ from those the checkpoint was trained with.
        DataError: The rows do.
    """
    found = checkpoints.latest_checkpoint(paths)
    now = {"config": config.model_dump(mode="json"), "rows": data.identity}
    began = read_json(paths.identity)
    if found is not None and began is not None:
        ensure_resumable(began["config"], config)
        _ensure_same_rows(began["rows"], now["rows"], config)
    if paths.rank == 0:
        if found is None or began is None:
            write_json(paths.identity, now)
        if found is not None:
            EventLog(paths.events).append("resumed", step=checkpoints.step_of(found))
        elif began is not None:  # it died before a checkpoint: none of its steps count
            EventLog(paths.events).append("resumed", step=0)
            update_status(paths, training_seconds=0.0)
    return found


def _ensure_same_rows(was: dict[str, Any], now: dict[str, Any], config: RunConfig) -> None:
    for split in was:
        before, after = was[split], now.get(split)
        if after == before or split == "evaluation":
            continue
        counts = f"{counted(before['rows'])} then, {after['rows'] if after else 0} now"
        if after and after["rows"] == before["rows"]:
            counts = f"{counted(before['rows'])} as before, but other ones or in another order"
        raise DataError(
            f"The rows of {config.data.source} are not those the run began with: {counts}.",
            remedy="Bring the old rows back (exports never change), or clone the run to train on "
            "the new ones.",
            field="data.source",
        )
