"""What to change when a run does not fit, in the order that costs least quality and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import ProcessorMixin

from studio.config import RunConfig
from studio.config.availability import availability_problems
from studio.config.run_file import parse, set_path
from studio.config.setting_conflicts import problems
from studio.core.errors import StudioError
from studio.core.paths import Workspace
from studio.models.devices import device_problems
from studio.models.model_source import load_processor
from studio.models.prequantized import can_be_quantized
from studio.runs.control.oom_backoff import next_smaller
from studio.runs.run_plan import GIB, Plan, Suggestion
from studio.training.planning.device_memory import Target
from studio.training.planning.memory_estimate import LargestBatch, estimate

ENOUGH = 4
TIGHT = 0.9
EIGHT_BIT = "paged_adamw_8bit"


@dataclass(frozen=True)
class WhatIf:
    """Totals of a run with other settings.

    Attributes:
        batch: The largest one, of as many rows as the run has at once.
        dtype: What `model.dtype` means on the target.
        correction: Bytes that a dry step of the run took more than planned.
    """

    config: RunConfig
    workspace: Workspace
    processor: ProcessorMixin | None
    batch: LargestBatch
    dtype: torch.dtype
    target: Target
    correction: int = 0

    def total(self, changed: RunConfig) -> int | None:
        """Return the bytes with `changed`; None when that cannot be run on the target."""
        target = self.target
        if (
            problems(changed)
            or availability_problems(changed, target.kind)
            or device_problems(changed.model, target.torch_device)
        ):
            return None
        rows, processor = changed.batch.per_device, self.processor
        batch = replace(self.batch, rows=self.batch.rows[:rows], size=min(rows, self.batch.size))
        try:
            if processor is not None and changed.model.image != self.config.model.image:
                processor = load_processor(changed.model)
            made = estimate(changed, self.workspace, processor, batch, self.dtype, target)
        except StudioError:
            return None
        return made.memory.total + self.correction


def suggestions(what_if: WhatIf, plan: Plan) -> list[Suggestion]:
    """Return changes that take less memory, with what each would need; none when there is room."""
    target = what_if.target
    if not plan.memory or not target.memory or plan.counted.total <= TIGHT * target.memory:
        return []
    found: list[Suggestion] = []
    for title, cost, changes in _candidates(what_if.config, what_if.processor):
        if sum(item.total <= target.memory for item in found) >= ENOUGH:
            break
        total = what_if.total(apply(what_if.config, changes))
        if total is not None and total < plan.counted.total:
            found.append(suggestion(title, cost, changes, plan, total, target))
    return sorted(found, key=lambda item: item.total > target.memory)[:ENOUGH]


def apply(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """Return `config` with dotted settings changed."""
    values = config.model_dump(mode="json")
    for path, value in changes.items():
        set_path(values, path, value)
    return parse(values)


def image_edge(processor: ProcessorMixin | None) -> tuple[int, int] | None:
    """Return (budget, least): `model.image.longest_edge`, and the least that makes sense.

    None when the processor does not scale by it. Families that count pixels rather than an edge
    (Qwen-VL) keep the number in the same place.
    """
    settings = getattr(processor, "image_processor", None)
    size = dict(getattr(settings, "size", None) or {})
    edge = size.get("longest_edge")
    if not edge:
        return None
    tile = dict(getattr(settings, "max_image_size", None) or {}).get("longest_edge")
    return int(edge), int(tile or size.get("shortest_edge") or edge)


def _candidates(
    config: RunConfig, processor: ProcessorMixin | None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    batch = config.batch
    edge, least = image_edge(processor) or (0, 0)
    if edge // 2 >= max(1, least):
        yield (
            f"Half the image budget (longest edge {edge // 2})",
            "faster; small print in images may be lost",
            {"model.image.longest_edge": edge // 2},
        )
    if batch.per_device > 1:
        smaller = next_smaller(config)
        rows = f"{smaller} row{'s' if smaller > 1 else ''}"
        yield (
            f"{rows} at once instead of {batch.per_device}",
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
    if config.adapter and can_be_quantized(config.model):
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


def suggestion(
    title: str, cost: str, changes: dict[str, Any], plan: Plan, total: int, target: Target
) -> Suggestion:
    """Return a change with what it saves and whether that is enough."""
    fits = "fits" if total <= target.memory else "still does not fit"
    saved = (plan.counted.total - total) / GIB
    return Suggestion(
        title, f"saves {saved:.1f} GiB: {total / GIB:.1f} GiB, {fits}; {cost}", changes, total
    )
