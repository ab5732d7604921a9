"""Copies of the embedded model with something wrong, or with quantized weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

from studio.core.paths import TINY_VLM

WEIGHTS = "model.safetensors"
BLOCK = 64
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 7688968\n"
Weights = dict[str, torch.Tensor]


def copied(folder: Path) -> Path:
    """The embedded model as it is."""
    return shutil.copytree(TINY_VLM, folder)


def changed(folder: Path, change: Callable[[Weights], Weights | None]) -> Path:
    """The embedded model with other weights; `change` gets them, and may return new ones."""
    copied(folder)
    weights = load_file(folder / WEIGHTS)
    weights = change(weights) or weights
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    return folder


def prefixed(folder: Path, prefix: str = "base_model.model.") -> Path:
    """Every weight under a longer name."""
    return changed(folder, lambda weights: {prefix + name: w for name, w in weights.items()})


def cut(folder: Path) -> Path:
    """A download that broke off."""
    file = copied(folder) / WEIGHTS
    file.write_bytes(file.read_bytes()[:4_000_000])
    return folder


def pointer(folder: Path, name: str = WEIGHTS) -> Path:
    """Cloned without Git LFS."""
    (copied(folder) / name).write_text(POINTER.format("a" * 64))
    return folder


def taller(folder: Path) -> Path:
    """Eight more rows in the embedding than the configuration says."""

    def grow(weights: Weights) -> None:
        name = next(name for name in weights if "embed_tokens" in name)
        weights[name] = torch.cat([weights[name], weights[name][:8]])

    return changed(folder, grow)


def sharded(folder: Path) -> Path:
    """The same weights in several files with an index."""
    copied(folder)
    (folder / WEIGHTS).unlink()
    model = AutoModelForImageTextToText.from_pretrained(TINY_VLM)
    model.save_pretrained(folder, max_shard_size="2MB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


def bits(folder: Path, settings: BitsAndBytesConfig) -> Path:
    """Saved after bitsandbytes has quantized it."""
    copied(folder)
    model = AutoModelForImageTextToText.from_pretrained(
        TINY_VLM, quantization_config=settings, device_map={"": "cpu"}
    )
    (folder / WEIGHTS).unlink()
    model.save_pretrained(folder)
    return folder


def four_bit(folder: Path, **settings: object) -> Path:
    """4 bits, NF4, for bfloat16; the head is in full precision."""
    usual = {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_compute_dtype": torch.bfloat16,
        "llm_int8_skip_modules": ["lm_head"],
    }
    return bits(folder, BitsAndBytesConfig(**(usual | settings)))


def eight_bit(folder: Path) -> Path:
    """8 bits."""
    return bits(folder, BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=["lm_head"]))


def fp8(folder: Path) -> Path:
    """FP8 in blocks of 64 by 64 with a scale each, as large models are published."""
    changed(folder, _to_fp8)
    settings = {
        "quant_method": "fp8",
        "weight_block_size": [BLOCK, BLOCK],
        "modules_to_not_convert": ["lm_head", "model.vision_model", "model.connector"],
    }
    return described(folder, quantization_config=settings)


def _to_fp8(weights: Weights) -> None:
    for name in [n for n in weights if "text_model.layers" in n and n.endswith("_proj.weight")]:
        rows, columns = (size // BLOCK for size in weights[name].shape)
        blocks = weights[name].float().reshape(rows, BLOCK, columns, BLOCK)
        scale = blocks.abs().amax(dim=(1, 3), keepdim=True) / 448
        packed = (blocks / scale).reshape(weights[name].shape)
        weights[name] = packed.to(torch.float8_e4m3fn)
        weights[f"{name}_scale_inv"] = scale.reshape(rows, columns)


def described(folder: Path, **values: object) -> Path:
    """Change `config.json`."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return folder


DAMAGED: dict[str, Callable[[Path], Path]] = {
    "prefixed": prefixed,
    "cut": cut,
    "pointer": pointer,
    "taller": taller,
    "tokenizer pointer": partial(pointer, name="tokenizer.json"),
}
"""What no run, no chat and no check may take; each in a folder of its own."""
