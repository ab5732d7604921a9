"""Which modules LoRA is applied to: from a word or a list to exact module names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from torch import nn
from transformers import PreTrainedModel

from studio.config.adapter import TARGET_GROUPS, AdapterConfig
from studio.core.errors import ModelError
from studio.models.towers import TOWERS, Tower, find_towers

ALL_LINEAR = "all-linear"
ADAPTED: tuple[Tower, ...] = ("vision", "projector", "language")


def matched_modules(model: PreTrainedModel, adapter: AdapterConfig) -> list[str]:
    """Return the names of the modules of `model` that get an adapter.

    Raises:
        ModelError: Nothing matches, a chosen tower is left out, or the head is among them.
    """
    targets = adapter.targets
    if isinstance(targets, str) and (group := towers_of(targets)):
        return _in_towers(model, targets, group)
    adaptable = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Embedding)
    linear = [name for name, module in model.named_modules() if isinstance(module, adaptable)]
    if isinstance(targets, str):
        matched = [name for name in linear if _fullmatch(targets, name)]
    else:
        matched = [name for name in linear if any(_ends(name, target) for target in targets)]
        _check_each(model, targets, matched)
    _check_matched(model, targets, matched)
    return matched


def towers_of(targets: str) -> tuple[Tower, ...]:
    """Return the parts that a word means: `language`, `vision+projector`, `all-linear`; else none."""
    if targets == ALL_LINEAR:
        return ADAPTED
    named = {name.strip() for name in targets.split("+")}
    return tuple(tower for tower in ADAPTED if tower in named) if named <= set(ADAPTED) else ()


def target_modules(model: PreTrainedModel, adapter: AdapterConfig) -> list[str] | str:
    """Return what PEFT's `target_modules` needs to hit exactly `matched_modules`.

    A pattern over the towers when one says the same, because it reads better in the saved
    adapter; the plain list of names otherwise.
    """
    matched = matched_modules(model, adapter)
    return _pattern(model, matched) or matched


def linear_pattern(model: PreTrainedModel, left_out: Collection[Tower] = ()) -> str:
    """Return a pattern of the names of all linear layers, but for the head and the parts
    `left_out`.

    It is what `optim_target_modules` of transformers needs for optimizers that project the
    gradients of whole matrices (GaLore, APOLLO).

    Raises:
        ModelError: No such layer is left.
    """
    tower_of = find_towers(model).of
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and tower_of(name) not in (*left_out, "head")
    ]
    if not names:
        raise ModelError(
            "No linear layer is left whose gradients could be projected.",
            remedy="Freeze fewer parts, or use another optimizer.",
            field="optimizer.name",
        )
    return _pattern(model, names) or "|".join(map(re.escape, names))


def _pattern(model: PreTrainedModel, matched: list[str]) -> str:
    """A pattern over the towers that hits exactly `matched` of the linear layers; or nothing."""
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    towers = find_towers(model)
    parts = []
    for root in (towers.vision, towers.language):
        leaves = sorted(
            {n.rsplit(".", 1)[-1] for n in matched if root and n.startswith(f"{root}.")}
        )
        if leaves:
            parts.append(rf"{re.escape(root)}\..*\.(?:{'|'.join(map(re.escape, leaves))})")
    pattern = "|".join(parts)
    hit = [name for name in linear if pattern and re.fullmatch(pattern, name)]
    return pattern if hit == matched else ""


def matched_per_tower(model: PreTrainedModel, matched: list[str]) -> dict[Tower, int]:
    """Return how many of the matched modules lie in each tower."""
    towers = find_towers(model)
    counts = Counter(towers.of(name) for name in matched)
    return {tower: counts.get(tower, 0) for tower in TOWERS}


def _in_towers(model: PreTrainedModel, targets: str, group: Collection[Tower]) -> list[str]:
    towers = find_towers(model)
    inside_attention = {
        f"{name}.{child}"
        for name, module in model.named_modules()
        if isinstance(module, nn.MultiheadAttention)
        for child, _ in module.named_modules()
    }
    matched = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and towers.of(name) in group
        and name not in inside_attention
    ]
    hit = {towers.of(name) for name in matched}
    missing = [tower for tower in group if tower not in hit]
    if targets == ALL_LINEAR:  # some models have no linear layer between the two
        missing = [tower for tower in missing if tower != "projector"]
    if missing:
        raise ModelError(
            f"targets: {targets} finds no linear layer in the {missing[0]} part of this model.",
            remedy="Choose other targets.",
            field="adapter.targets",
        )
    return matched


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _fullmatch(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error as error:
        raise ModelError(
            f"{pattern!r} is neither one of {', '.join(TARGET_GROUPS)} nor a regular expression: "
            f"{error}.",
            remedy="Choose one of those, or give a list of module names.",
            field="adapter.targets",
        ) from error


def _instead(model: PreTrainedModel) -> str:
    """What could be named of this model."""
    tower_of = find_towers(model).of
    leaves = Counter(
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and tower_of(name) == "language"
    )
    return f"Its language model has {', '.join(leaves)}; or use: language."


def _check_each(model: PreTrainedModel, targets: list[str], matched: list[str]) -> None:
    for target in targets:
        if not any(_ends(name, target) for name in matched):
            raise ModelError(
                f"Target {target!r} matches no module of this model.",
                remedy=_instead(model),
                field="adapter.targets",
            )


def _check_matched(model: PreTrainedModel, targets: str | list[str], matched: list[str]) -> None:
    towers = find_towers(model)
    if not matched:
        raise ModelError(
            f"Targets {targets!r} match no module of this model.",
            remedy=_instead(model),
            field="adapter.targets",
        )
    if any(towers.of(name) == "head" for name in matched):
        raise ModelError(
            "Targets include the output head, which cannot carry LoRA here.",
            remedy="Leave lm_head out.",
            field="adapter.targets",
        )
