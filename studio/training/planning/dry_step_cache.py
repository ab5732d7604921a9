"""Dry steps made before, so that the plan of the same settings shows them again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.config import RunConfig
from studio.core.paths import Workspace, write_json
from studio.runs.run_plan import Plan
from studio.training.planning.dry_step import Measured
from studio.training.planning.result_cache import libraries, read_note

SECTIONS = ("method", "model", "adapter", "data", "batch", "dpo", "speed")


def recall(config: RunConfig, plan: Plan, workspace: Workspace) -> Measured | None:
    """Return what a dry step of these settings took on this machine, if one was made.

    Args:
        plan: Of `config` on this machine; it tells whether rows and device are still the same.
    """
    file = _file(config, plan, workspace)
    return read_note(file, lambda values: Measured(values["peak"], values["seconds_per_step"]))


def remember(config: RunConfig, plan: Plan, measured: Measured, workspace: Workspace) -> None:
    """Keep a dry step's result; safe to delete."""
    write_json(_file(config, plan, workspace), asdict(measured), durable=False)


def _file(config: RunConfig, plan: Plan, workspace: Workspace) -> Path:
    return workspace.dry_steps / f"{_digest(config, plan)}.json"


def _digest(config: RunConfig, plan: Plan) -> str:
    """Of everything that changes a step: settings, rows, device and libraries."""
    settings = config.model_dump(mode="json")
    facts: dict[str, Any] = {name: settings[name] for name in SECTIONS}
    facts["optimizer"] = settings["optimizer"]["name"]
    facts["rows"] = [plan.train_rows, plan.tokens_median, plan.tokens_max]
    facts["device"] = [plan.device, plan.device_memory, plan.dtype]
    facts["libraries"] = libraries()
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
