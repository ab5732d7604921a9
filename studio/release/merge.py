"""An adapter put into the weights of its base, so that a plain model answers as the run does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch import nn
from transformers import PreTrainedModel

from studio.config.model import ModelConfig
from studio.core.errors import InputError, ModelError, first_line
from studio.models.adapter_weights import check_adapter, put_on
from studio.models.devices import pick_device
from studio.models.load import load_model, skeleton_of
from studio.models.model_source import load_config
from studio.models.prequantized import prequantized, settled
from studio.release.artefact_files import clean_json
from studio.runs.run_weights import RunWeights

logger = logging.getLogger(__name__)
Into = Literal["dequantized", "base"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
CPU = torch.device("cpu")
UNMERGEABLE = (NotImplementedError, ValueError, TypeError, AttributeError, RuntimeError)
"""What PEFT raises where an adapter of some kind cannot become part of the weights."""
EXACT_SHARE = 0.6
"""Of the memory that is free, what a model in float32 may take to be merged without rounding twice."""


def saved_dtype(model: ModelConfig, asked: Precision) -> str:
    """Return the number format of a merged model: what was asked for, or what the base came in."""
    if asked != "auto":
        return asked
    own = getattr(load_config(model), "dtype", None)
    name = str(own).removeprefix("torch.")
    return name if name in ("float32", "bfloat16", "float16") else "bfloat16"


def bytes_of(model: ModelConfig, dtype: str) -> int:
    """Return how many bytes the weights of a model take in a number format."""
    size = getattr(torch, dtype).itemsize
    return size * sum(parameter.numel() for parameter in skeleton_of(model).parameters())


def ensure_mergeable(weights: RunWeights, into: Into) -> None:
    """Refuse what cannot be merged, before anything is loaded.

    Raises:
        InputError: The base comes quantized, so it has no 16-bit weights to merge into.
    """
    held = prequantized(load_config(weights.run.config.model))
    if into == "base" and held is not None and held.ours:
        raise InputError(
            f"{weights.run.config.model.id} comes quantized: there is no 16-bit base to merge into.",
            remedy="Leave --into at dequantized.",
            field="into",
        )


def write_merged(
    weights: RunWeights, folder: Path, *, into: Into, dtype: str, shard_size: str
) -> None:
    """Write the base with a run's adapter in its weights; of a run that trained all, those.

    Args:
        into: Of a quantized base: `dequantized`, the weights that the run was trained on, or
            `base`, the 16-bit weights that those were made of.
        dtype: Number format of the files.
        shard_size: Of one file, as transformers reads it: `5GB`.

    Raises:
        ModelError: The base or the adapter cannot be used, or not be merged.
    """
    model = _merged(weights, into, dtype) if weights.is_adapter else _whole(weights)
    model = model.to(getattr(torch, dtype))
    _settle_head(model)
    model.config.use_cache = True
    model.save_pretrained(folder, max_shard_size=shard_size)
    for name in ("config.json", "generation_config.json"):
        clean_json(folder / name)


def _whole(weights: RunWeights) -> PreTrainedModel:
    config = weights.run.config.model.model_copy(
        update={"id": str(weights.folder), "revision": None, "quantization": "none"}
    )
    return load_model(config, device=CPU).model


def _merged(weights: RunWeights, into: Into, dtype: str) -> PreTrainedModel:
    config = settled(weights.run.config.model)
    quantized = config.quantization != "none"
    exact = bytes_of(config, "float32") < EXACT_SHARE * psutil.virtual_memory().available
    computed = "float32" if exact else dtype
    if quantized and into == "dequantized":
        base = load_model(weights.run.config.model, device=pick_device()).model
        base = _dequantized(base).to(CPU, getattr(torch, computed))
        config = weights.run.config.model
    else:
        config = config.model_copy(update={"quantization": "none", "dtype": computed})
        base = load_model(config, device=CPU).model
    _untie(base)
    adapter = weights.run.config.adapter
    same_base = adapter is not None and adapter.base_is_same
    file = check_adapter(weights.folder, config, purpose="chat", field="run", same_base=same_base)
    try:
        return put_on(base, file).merge_and_unload(safe_merge=True)
    except UNMERGEABLE as error:
        if isinstance(error, ModelError):
            raise
        logger.exception("PEFT cannot merge %s", weights.folder)
        raise ModelError(
            f"An adapter of the kind {file.kind} cannot be merged: {first_line(error)}",
            remedy="Release the adapter itself: leave --merge out.",
            field="merge",
        ) from error


def _dequantized(model: PreTrainedModel) -> PreTrainedModel:
    """Turn 8- and 4-bit layers into plain ones that hold what those multiply by."""
    with torch.no_grad():
        model.dequantize()
    for name in ("is_loaded_in_4bit", "is_loaded_in_8bit"):
        if getattr(model, name, False):
            setattr(model, name, False)
    return model


def _untie(model: PreTrainedModel) -> None:
    """Give the output head weights of its own: what is merged into one must not change the other."""
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and table is not None and head.weight is table.weight:
        head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)


def _settle_head(model: PreTrainedModel) -> None:
    """Tie head and embeddings again where they are equal, and say so where they no longer are.

    PEFT says in the configuration that they are not, but transformers would still leave the head
    out of the file, as the second name of a weight (huggingface/peft#2777).
    """
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    if head is None or table is None:
        return
    names = [
        name for name, one in model.named_parameters(remove_duplicate=False) if one is head.weight
    ]
    if not any(name in model.all_tied_weights_keys for name in names):
        return
    tied = head.weight.shape == table.weight.shape and torch.equal(head.weight, table.weight)
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = tied
    if tied:
        head.weight = table.weight
        return
    kept = {
        name: source for name, source in model.all_tied_weights_keys.items() if name not in names
    }
    model.all_tied_weights_keys = kept
