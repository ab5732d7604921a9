"""Going on exactly: a run remembers what it was started with, and refuses to go on with less.

The rows are remembered by their number and a digest of their texts and images in order, so that
the step a checkpoint stopped at is followed by the row that would have come next.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePath
from typing import Any

from studio.config import RunConfig
from studio.data.convert import TrainingData
from studio.errors import DataError
from studio.paths import RunPaths, read_json, write_json
from studio.runs import checkpoints
from studio.runs.changes import ensure_resumable
from studio.runs.events import EventLog
from studio.train.data import RunData

ROWS_AT_ONCE = 1000


def checkpoint_to_resume(config: RunConfig, paths: RunPaths, data: RunData) -> Path | None:
    """The complete checkpoint to go on from; None for a run that begins.

    Raises:
        ConfigError: Settings differ from those the checkpoint was trained with.
        DataError: The rows do.
    """
    found = checkpoints.latest_checkpoint(paths)
    now = {"config": config.model_dump(mode="json"), "rows": rows_of(data)}
    began = read_json(paths.identity)
    if found is not None and began is not None:
        ensure_resumable(began["config"], config)
        _ensure_same_rows(began["rows"], now["rows"], config)
    if paths.rank == 0:
        if found is None or began is None:
            write_json(paths.identity, now)
        if found is not None:
            EventLog(paths.events).append("resumed", step=checkpoints.step_of(found))
    return found


def rows_of(data: RunData) -> dict[str, Any]:
    """Number and digest of the rows of each split."""
    splits = {"train": data.train, "evaluation": data.evaluation}
    return {name: _digest(split) for name, split in splits.items() if split is not None}


def _digest(data: TrainingData) -> dict[str, Any]:
    table = data.dataset.with_format("arrow")
    digest = hashlib.sha256()
    for start in range(0, len(table), ROWS_AT_ONCE):
        for row in table[start : start + ROWS_AT_ONCE].to_pylist():
            row["images"] = [_image_name(image) for image in row.get("images") or []]
            digest.update(json.dumps(row, sort_keys=True).encode("utf-8", "surrogatepass"))
    return {"rows": data.used, "digest": digest.hexdigest()}


def _image_name(image: dict[str, Any]) -> str:
    if image.get("path"):
        return PurePath(image["path"]).stem
    return hashlib.sha256(image.get("bytes") or b"").hexdigest()


def _ensure_same_rows(was: dict[str, Any], now: dict[str, Any], config: RunConfig) -> None:
    for split in was:
        before, after = was[split], now.get(split)
        if after == before or split == "evaluation":
            continue
        counts = f"{before['rows']} rows then, {after['rows'] if after else 0} now"
        if after and after["rows"] == before["rows"]:
            counts = f"{before['rows']} rows as before, but other ones or in another order"
        raise DataError(
            f"The rows of {config.data.source} are not those the run began with: {counts}.",
            remedy="Bring the old rows back (exports never change), or clone the run to train on "
            "the new ones.",
            field="data.source",
        )
