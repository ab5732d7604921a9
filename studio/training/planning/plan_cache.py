"""Plans worked out before: the form, `plan` and the worker of a run ask for the same one.

A plan is kept under everything it depends on: settings, rows, the model's and the adapters' files,
the device, what is installed, and the code that plans. What may be refused is refused before a
plan is looked up, and only a plan without an error is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import ProcessorMixin

from studio.config import RunConfig
from studio.config.availability import unavailable
from studio.core.paths import Workspace
from studio.models.adapter_config import WEIGHTS
from studio.models.weights_check import weight_stamps
from studio.runs.run_plan import Plan
from studio.training.model_digest import files_of, model_folder
from studio.training.planning.device_memory import Target
from studio.training.planning.dry_step import Measured
from studio.training.planning.dry_step_cache import recall
from studio.training.planning.result_cache import code_of, keep_note, key_of, libraries, read_note
from studio.training.run_rows import RunData, reasons

CHANGE_NOTHING = ("name", "probes", "report_to", "push_to_hub")
STUDIO = Path(__file__).parents[2]
CODED = ("training", "models", "data", "runs", "config", "preflight")
CODE = tuple(STUDIO / name for name in CODED)


@dataclass(frozen=True)
class Start:
    """What a run starts from, once it is known that it may.

    Attributes:
        here: Whether it is planned for this machine, where dry steps may have been made.
        dtype: What `config.model.dtype` means on the target.
        processor: None when the model has none.
        adapters: Folders of trained weights that it continues from or compares with.
        said: Sentences on what the model's chat template and context make of the rows.
    """

    config: RunConfig
    workspace: Workspace
    target: Target
    here: bool
    dtype: torch.dtype
    processor: ProcessorMixin | None
    data: RunData
    adapters: tuple[Path, ...]
    said: tuple[str, ...] = ()


def planned_once(start: Start, work_out: Callable[[], Plan]) -> Plan:
    """Return what `work_out` made of `start`, now or earlier.

    A dry step made since then changes the plan, so that it is worked out anew.
    """
    folder = model_folder(start.config.model)
    if folder is None:
        return work_out()
    file = start.workspace.plans / f"{_key(start, folder)}.json"
    known = read_note(file, partial(_unless_outdated, start))
    if known is not None:
        return known
    plan = work_out()
    keep_note(file, {"plan": plan.to_json(), "measured": _measured(start, plan)})
    return plan


def _unless_outdated(start: Start, note: dict[str, Any]) -> Plan | None:
    """Return the plan of a note; None when another dry step was measured since."""
    plan = Plan.from_json(note["plan"])
    return plan if note["measured"] == _measured(start, plan) else None


def _measured(start: Start, plan: Plan) -> dict[str, Any] | None:
    found: Measured | None = recall(start.config, plan, start.workspace) if start.here else None
    return asdict(found) if found else None


def _key(start: Start, folder: Path) -> str:
    settings = start.config.model_dump(mode="json", exclude=set(CHANGE_NOTHING))
    skipped = reasons(start.data.train.skipped)
    return key_of(
        (
            settings,
            start.data.identity,
            (skipped, start.said, start.data.train.scored),
            (asdict(start.target), start.here, str(start.dtype)),
            unavailable(start.target.kind),
            start.processor.to_dict() if start.processor else None,
            list(files_of(folder)),
            weight_stamps(start.config.model) if start.processor else [],
            [list(_adapter_files(adapter)) for adapter in start.adapters],
            libraries(),
            code_of(*CODE),
        )
    )


def _adapter_files(folder: Path) -> Iterator[tuple[str, str | int]]:
    yield from files_of(folder)
    yield WEIGHTS, (folder / WEIGHTS).stat().st_size
