"""The processes that train together, as one of them sees it."""

from __future__ import annotations

import os
from typing import Any

import pyarrow.compute as pc
import torch
from accelerate.utils import DistributedType
from transformers import Trainer

from studio.config import RunConfig
from studio.config.setting_conflicts import ensure_consistent
from studio.core.errors import DataError
from studio.core.paths import RunPaths
from studio.models.load import weights_are_sharded
from studio.runs.event_log import EventLog
from studio.training.run_rows import RunData

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)


def for_all_there_are(config: RunConfig, paths: RunPaths) -> RunConfig:
    """Return `config` for as many processes as were started, with the same number of rows a step.

    A configuration file of accelerate or a SLURM script may start more than `launch.processes`.

    Raises:
        ConfigError: They do not divide `batch.total`.
    """
    there, expected = int(os.environ.get("WORLD_SIZE", "1")), config.launch.processes
    if there == expected:
        return config
    launch = config.launch.model_copy(update={"processes": there})
    changed = config.model_copy(update={"launch": launch})
    ensure_consistent(changed)
    if paths.rank == 0:
        EventLog(paths.events).append(
            "changed",
            message=f"Processes: {there} were started instead of {expected}. Each takes "
            f"{changed.accumulation} × {config.batch.per_device} rows a step; a step still has "
            f"{config.batch.total}.",
        )
    return changed


def is_alone() -> bool:
    """Return whether this process trains by itself."""
    return int(os.environ.get("WORLD_SIZE", "1")) == 1


def ensure_alike(data: RunData) -> None:
    """Refuse rows with and without images where each process has a part of the weights.

    A process whose rows have no image leaves the vision tower out while the others wait for its
    part of it.

    Raises:
        DataError: Only some rows of a split have images.
    """
    for split in (data.train, data.evaluation):
        if split is None or not weights_are_sharded():
            continue
        column = split.dataset.with_format("arrow")[:]["images"]
        pictured = pc.sum(pc.greater(pc.fill_null(pc.list_value_length(column), 0), 0)).as_py()
        if 0 < pictured < split.used:
            raise DataError(
                f"{split.used - pictured:,} of {split.used:,} rows have no image; with the "
                "weights spread over processes (FSDP, DeepSpeed) all rows must have one, or none.",
                remedy="Leave those rows out, or train with DDP, where each process has all "
                "weights.",
                field="data.source",
            )


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def whole_weights(trainer: Trainer) -> dict[str, Any] | None:
    """Return all weights, on the first process, where they are spread; None where each has them
    all.

    Every process must call this.
    """
    if trainer.accelerator.distributed_type not in SHARDED:
        return None
    return trainer.accelerator.get_state_dict(trainer.model_wrapped)
