"""The scale of the logits in models whose language model has one of its own.

Cohere's language models multiply their logits by `logit_scale`, Granite's divide them by
`logits_scaling`. Inside a vision-language model transformers builds the language model without
its head, and for some classes (Aya Vision, Command A Vision, LLaVA-NeXT with Granite) the scale
is lost with it, while TRL's fused head, which reads the configuration, applies it. Training would
then score other probabilities than chat, probes and evaluation sample from.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel

FACTORS = ("logit_scale", "output_multiplier", "lm_head_multiplier")
DIVISOR = "logits_scaling"
MULTIPLIED = ("hyperclovax",)
"""Kinds whose `logits_scaling` multiplies, in spite of its name in Granite."""


def scale_of(config: PreTrainedConfig) -> float:
    """Return the number the language model multiplies its logits by, 1.0 without one.

    The order of the names is that of `trl.trainer.utils.add_fused_lm_head`.
    """
    text = config.get_text_config()
    for name in FACTORS:
        if (factor := getattr(text, name, None)) is not None:
            return float(factor)
    divisor = getattr(text, DIVISOR, None)
    if divisor is None:
        return 1.0
    return float(divisor) if text.model_type in MULTIPLIED else 1.0 / float(divisor)


def scales_itself(model: PreTrainedModel) -> bool:
    """Return whether the class of `model` applies the scale in its own forward."""
    source = inspect.getsource(type(model).forward)
    return any(name in source for name in (*FACTORS, DIVISOR))


def scale_logits(model: PreTrainedModel) -> None:
    """Let the head of `model` give the logits its language model would give.

    Models without a scale, and classes that apply it, are left as they are. TRL's fused head reads
    the head's weight and never calls it, so nothing is scaled twice.
    """
    scale = scale_of(model.config)
    head = model.get_output_embeddings()
    if scale == 1.0 or head is None or scales_itself(model):
        return

    def scaled(module: torch.nn.Module, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits * scale

    head.register_forward_hook(scaled)
