"""What a cached number depends on, as one short name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

import torch
from torch import nn
from transformers import PreTrainedModel, ProcessorMixin

from studio.models.compat.transformers_internals import attention_of
from studio.models.towers import find_towers

VERSION = 3
NAMES = ("_name_or_path",)
"""Entries of a configuration that say where a model is, not what it is."""

DEFAULT = "default"
SAMPLED = 512
"""About so many numbers of each weight tell one model from another."""
REF = "ref"
"""What TRL calls the adapter that is DPO's reference."""
SAID = ("base_model_name_or_path", "peft_version", "auto_mapping", "inference_mode", "revision")
"""Entries of an adapter's description that change no number."""

Named = Iterable[tuple[str, torch.Tensor]]


def features_fingerprint(
    model: PreTrainedModel, processor: ProcessorMixin, autocast: str, device: str
) -> str:
    """Return a name for everything an image's features depend on, besides the image."""
    towers = find_towers(model)
    weights = (
        (name, tensor)
        for name, tensor in _tensors(model)
        if towers.of(name) in ("vision", "projector")
    )
    settings = _settings(model, processor) | {"autocast": autocast, "device": device}
    return fingerprint(settings, weights)


def reference_fingerprint(
    model: nn.Module, processor: ProcessorMixin, settings: Mapping[str, object]
) -> str:
    """Return a name for everything a row's reference log-probabilities depend on, besides the row.

    Args:
        model: The reference: the model under training with its adapter, or one of its own. The
            weights that are being trained are no part of it.
        settings: What else they depend on.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    adapters = getattr(model, "peft_config", {}) if base is not model else {}
    adapter = adapters[REF].to_dict() if REF in adapters else None
    own = {name: value for name, value in (adapter or {}).items() if name not in SAID}
    weights = (
        (name, tensor)
        for name, tensor in _tensors(model)
        if DEFAULT not in name.split(".")
        and not (isinstance(tensor, nn.Parameter) and tensor.requires_grad)
    )
    known = _settings(base, processor) | dict(settings)
    return fingerprint(known | ({"adapter": own} if own else {}), weights)


def model_fingerprint(model: PreTrainedModel, processor: ProcessorMixin, device: str) -> str:
    """Return a name for everything a base model's answers depend on, besides what it is asked.

    Of each weight some numbers from all over it are looked at, not all: other weights of the same
    shapes differ nearly everywhere, and all of them would take as long as to load the model.
    """
    weights = ((name, _sampled(tensor)) for name, tensor in _tensors(model))
    generation = model.generation_config.to_dict()
    template = getattr(processor, "chat_template", None) or processor.tokenizer.chat_template
    settings = {"device": device, "generation": generation, "template": template}
    return fingerprint(_settings(model, processor) | settings, weights)


def _sampled(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLED)]


def fingerprint(settings: Mapping[str, object], weights: Named) -> str:
    """Return 32 hexadecimal digits of settings and tensors' names, shapes and bytes."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, tensor in weights:
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().contiguous().cpu().flatten()
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()[:32]


def _settings(model: PreTrainedModel, processor: ProcessorMixin) -> dict[str, object]:
    config = model.config.to_dict()
    return {
        "version": VERSION,
        "dtype": str(model.dtype),
        "attention": attention_of(model.config),
        "model": {name: value for name, value in config.items() if name not in NAMES},
        "processor": processor.to_dict(),
        "placeholder": processor.image_token,
    }


def _tensors(model: nn.Module) -> Named:
    yield from model.named_parameters()
    yield from model.named_buffers()
