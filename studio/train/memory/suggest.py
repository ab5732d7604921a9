"""What to change when a run does not fit, in the order that costs least quality and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from transformers import ProcessorMixin

from studio.config import RunConfig
from studio.config.checks import problems
from studio.config.files import parse, set_path
from studio.errors import StudioError
from studio.paths import Workspace
from studio.runs.plan import Plan, Suggestion
from studio.train.memory.devices import GIB, Target
from studio.train.memory.estimate import Batch, estimate

ENOUGH = 4
TIGHT = 0.9
EIGHT_BIT = "paged_adamw_8bit"


def suggestions(
    config: RunConfig,
    workspace: Workspace,
    processor: ProcessorMixin | None,
    batch: Batch,
    dtype: torch.dtype,
    target: Target,
    plan: Plan,
) -> list[Suggestion]:
    """Changes that take less memory, with what each would need; empty when there is room."""
    if not plan.memory or plan.memory.total <= TIGHT * target.memory:
        return []
    found = []
    for title, cost, changes in _candidates(config):
        changed = apply(config, changes)
        if problems(changed):
            continue
        rows = changed.batch.per_device
        smaller = replace(batch, rows=batch.rows[:rows], size=min(rows, batch.size))
        try:
            total = estimate(changed, workspace, processor, smaller, dtype, target).memory.total
        except StudioError:
            continue
        if total < plan.memory.total:
            found.append(_suggestion(title, cost, changes, plan, total, target))
    return sorted(found, key=lambda item: item.total > target.memory)[:ENOUGH]


def apply(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """`config` with dotted settings changed."""
    values = config.model_dump(mode="json")
    for path, value in changes.items():
        set_path(values, path, value)
    return parse(values)


def _candidates(config: RunConfig) -> Iterator[tuple[str, str, dict[str, Any]]]:
    batch = config.batch
    if batch.per_device > 1:
        smaller = next(n for n in range(batch.per_device // 2, 0, -1) if batch.total % n == 0)
        yield (
            f"{smaller} rows at once instead of {batch.per_device}",
            "the effective batch stays; a little slower",
            {"batch.per_device": smaller},
        )
    if not batch.gradient_checkpointing:
        yield (
            "Turn on gradient checkpointing",
            "about a third slower, the same result",
            {"batch.gradient_checkpointing": True},
        )
    if batch.per_device > 1 and not batch.gradient_checkpointing:
        yield (
            "One row at once, with checkpointing",
            "the effective batch stays; slower",
            {"batch.per_device": 1, "batch.gradient_checkpointing": True},
        )
    if config.adapter is None:
        yield (
            "Train an adapter (LoRA) instead of every weight",
            "usually as good on small data",
            {"adapter": {"rank": 16, "alpha": 32}},
        )
    if config.adapter and config.model.quantization == "none":
        yield (
            "Quantize the frozen weights to NF4",
            "slightly slower, nearly the same quality (QLoRA)",
            {"model.quantization": "nf4"},
        )
    if "8bit" not in config.optimizer.name and config.optimizer.name != "adafactor":
        yield (
            "Use an 8-bit optimizer",
            "the same quality in most runs",
            {"optimizer.name": EIGHT_BIT},
        )
    if config.adapter and config.adapter.rank > 8:
        yield (
            "Rank 8",
            "less room for new knowledge",
            {"adapter.rank": 8, "adapter.alpha": 16},
        )


def _suggestion(
    title: str, cost: str, changes: dict[str, Any], plan: Plan, total: int, target: Target
) -> Suggestion:
    fits = "fits" if total <= target.memory else "still does not fit"
    saved = (plan.memory.total - total) / GIB
    return Suggestion(
        title, f"saves {saved:.1f} GiB: {total / GIB:.1f} GiB, {fits}; {cost}", changes, total
    )
