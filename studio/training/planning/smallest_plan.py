"""The plan that takes least, and the refusal of a device that is too small even for that."""

from __future__ import annotations

from typing import Any

from studio.core.errors import ConfigError, FieldProblem
from studio.models.prequantized import can_be_quantized
from studio.runs.run_plan import Plan, Suggestion
from studio.training.planning.device_memory import GIB
from studio.training.planning.suggestions import EIGHT_BIT, WhatIf, apply, image_edge, suggestion

LEAST_RANK = 8
QUANTIZED = {"model.quantization": "nf4"}


def ensure_some_plan_fits(
    what_if: WhatIf, plan: Plan, offered: list[Suggestion]
) -> list[Suggestion]:
    """Return `offered`, with all changes at once in front when no single one is enough.

    Raises:
        ConfigError: Not even the smallest plan fits the device.
    """
    target = what_if.target
    if plan.fits or any(item.total <= target.memory for item in offered):
        return offered
    changes, total = smallest(what_if, plan)
    if total > target.memory:
        raise _too_small(what_if, changes, total)
    title = "Everything at once: " + spelled(changes)
    all_of_it = suggestion(title, "slower", changes, plan, total, target)
    return [all_of_it, *offered]


def smallest(what_if: WhatIf, plan: Plan) -> tuple[dict[str, Any], int]:
    """Return the changes that take least together, and bytes with them.

    All of them at once, where that can be run; else those that can, one after the other.
    """
    everything = {name: value for step in _steps(what_if) for name, value in step.items()}
    total = what_if.total(apply(what_if.config, everything))
    if total is not None and total < plan.counted.total:
        return everything, total
    best: tuple[dict[str, Any], int] = ({}, plan.counted.total)
    changes: dict[str, Any] = {}
    for more in _steps(what_if):
        tried = changes | more
        total = what_if.total(apply(what_if.config, tried))
        if total is None:
            continue
        changes = tried
        if total < best[1]:
            best = (tried, total)
    return best


def spelled(changes: dict[str, Any]) -> str:
    """Return changed settings as the run file writes them."""
    named = {name: value for name, value in changes.items() if name != "adapter.alpha"}
    return ", ".join(f"{name}: {_plain(value)}" for name, value in named.items())


def _steps(what_if: WhatIf) -> list[dict[str, Any]]:
    config = what_if.config
    steps: list[dict[str, Any]] = []
    if config.batch.per_device > 1 or not config.batch.gradient_checkpointing:
        steps.append({"batch.per_device": 1, "batch.gradient_checkpointing": True})
    if config.adapter is None:
        steps.append({"adapter": {"rank": LEAST_RANK, "alpha": 2 * LEAST_RANK}})
    elif config.adapter.rank > LEAST_RANK:
        steps.append({"adapter.rank": LEAST_RANK, "adapter.alpha": 2 * LEAST_RANK})
    edge, least = image_edge(what_if.processor) or (0, 0)
    if 0 < least < edge:
        steps.append({"model.image.longest_edge": least})
    if "8bit" not in config.optimizer.name and config.optimizer.name != "adafactor":
        steps.append({"optimizer.name": EIGHT_BIT})
    if can_be_quantized(config.model):
        steps.append(QUANTIZED)
    return steps


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _too_small(what_if: WhatIf, changes: dict[str, Any], total: int) -> ConfigError:
    config, target = what_if.config, what_if.target
    how = spelled(changes) or "the settings as they are"
    fewer = "Lower launch.processes, or choose" if target.sharers > 1 else "Choose"
    return ConfigError(
        [
            FieldProblem(
                "model.id",
                f"No plan for {config.model.id} fits {target.place} of "
                f"{target.memory / GIB:.2f} GiB: the smallest ({how}) needs {total / GIB:.2f} GiB.",
                f"{fewer} a smaller model, or a device with at least {total / GIB:.1f} GiB.",
            )
        ]
    )
