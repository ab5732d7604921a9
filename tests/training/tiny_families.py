"""Tiny models of the families on the fast path, with attention that looks at something."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText

from tests.families.build import UNSEEN, save

NAMES = (
    "llava",
    "pixtral",
    "llava_next",
    "granite_vision",
    "llava_onevision",
    "vipllava",
    "mistral3",
    "aya_vision",
    "internvl",
    "gemma3",
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "glm4v",
    "idefics2",
    "cohere2_vision",
    "lfm2_vl",
    "ovis2",
    "deepseek_vl",
    "lighton_ocr",
    "gemma4",
    "gemma4_small",
    "paligemma",
    "qwen3_5",
)
RECURRENT = ("lfm2_vl", "qwen3_5")
"""Some layers of their language models are no attention: a convolution, a recurrence."""
SHARPER, SHARPEST = 8.0, 0.2
WINDOW = {"sliding_window": 12, "layer_types": ["sliding_attention", "full_attention"]}
TEXT = {
    "gemma4": {"use_bidirectional_attention": "vision"},
    "cohere2_vision": WINDOW,
    "idefics2": {"sliding_window": 12},
    "paligemma": {"sliding_window": 512},
}
"""What the language models of some have that others of their kind have not."""


def save_sharp(family: str, folder: Path) -> str:
    """Write a model in which a wrong mask or position shows; the folder.

    New weights are so small that attention is nearly the same everywhere.
    """
    save(family.removesuffix("_small"), folder)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(UNSEEN):  # sharp already
                parameter.mul_(SHARPEST / parameter.std())
            elif parameter.dim() == 2 and "embed" not in name and "lm_head" not in name:
                parameter.mul_(SHARPER)
    for name, value in TEXT.get(family, {}).items():
        setattr(model.config.text_config, name, value)
    model.save_pretrained(folder)
    return str(folder)
