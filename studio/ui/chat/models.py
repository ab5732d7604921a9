"""The list of models in the Chat tab: choices, keys, and from a choice to who answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from pydantic import ValidationError

from studio.config.model import ModelConfig
from studio.core.errors import InputError
from studio.core.paths import EMBEDDED
from studio.core.value_problems import phrase
from studio.inference.client import ChatModel, base_label


def key_of(model: ChatModel) -> str:
    """Return a choice's value: `run:<id>` for an adapter, `base:<label>` for a base model."""
    return f"run:{model.run}" if model.run else f"base:{model.label}"


MOST_COLUMNS = 4
QUANTIZATIONS: tuple[str, ...] = get_args(ModelConfig.model_fields["quantization"].annotation)
EMBEDDED_KEY = key_of(ChatModel(base_label(ModelConfig(id=EMBEDDED)), ModelConfig(id=EMBEDDED)))


def choices(models: Sequence[ChatModel]) -> list[tuple[str, str]]:
    """(label, value) of every model."""
    return [
        (f"{model.label} (adapter)" if model.run else model.label, key_of(model))
        for model in models
    ]


def find(models: Sequence[ChatModel], key: str | None) -> ChatModel:
    """Return the model of a choice; anything else is taken for a hub id or a folder.

    Raises:
        InputError: Nothing is chosen, or the run is gone.
    """
    wanted = (key or "").strip()
    if not wanted:
        raise InputError("No model is chosen.", remedy="Choose one in the list.", field="model")
    found = next((model for model in models if key_of(model) == wanted), None)
    if found is not None:
        return found
    if wanted.startswith("run:"):
        raise InputError(
            "The run of this adapter is gone.", remedy="Choose another model.", field="model"
        )
    try:
        model = ModelConfig(id=wanted)
    except ValidationError as error:
        raise InputError(
            f"This cannot be a model: {phrase(error.errors()[0])}.",
            remedy="Give a hub id such as owner/name, or a folder.",
            field="model",
        ) from None
    return ChatModel(base_label(model), model)


def columns(
    models: Sequence[ChatModel],
    key: str | None,
    compare: bool,
    others: Sequence[str] = (),
    quantization: str = "",
) -> list[ChatModel]:
    """Return who answers, left to right: a base before its adapter, then the others.

    Args:
        others: Keys of more models.
        quantization: All are loaded so; empty: each as it says itself.

    Raises:
        InputError: Nothing usable is chosen, or more than `MOST_COLUMNS`.
    """
    chosen = find(models, key)
    several = [chosen]
    if compare and chosen.run:
        several.insert(0, ChatModel(base_label(chosen.model), chosen.model))
    several += [find(models, other) for other in others]
    several = list({key_of(model): model for model in several}.values())
    if len(several) > MOST_COLUMNS:
        raise InputError(
            f"{len(several)} models are chosen; {MOST_COLUMNS} can answer side by side.",
            remedy="Take some out of the list.",
            field="model",
        )
    return [_quantized(model, quantization) for model in several] if quantization else several


def _quantized(model: ChatModel, quantization: str) -> ChatModel:
    if quantization not in QUANTIZATIONS:
        raise InputError(
            f"{quantization[:40]!r} is no quantization.",
            remedy=f"Choose one of {', '.join(QUANTIZATIONS)}.",
            field="quantization",
        )
    config = model.model.model_copy(update={"quantization": quantization})
    label = f"{model.label} · {quantization}" if model.run else base_label(config)
    return replace(model, model=config, label=label)
