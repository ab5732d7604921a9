"""Bytes of the weights, in full and quantized."""

import pytest
import torch

from studio.config import run_file
from studio.models.load import skeleton_of
from studio.training.planning.weight_memory import quantized_modules, weight_bytes


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
def test_weights_take_what_the_loaded_model_takes(quantization):
    from studio.models.load import load_model

    config = run_file.parse({"model": {"quantization": quantization, "dtype": "float32"}}).model
    skeleton = skeleton_of(config)
    loaded = load_model(config).model
    held = sum(p.numel() * p.element_size() for p in loaded.parameters())
    held += sum(b.numel() * b.element_size() for b in loaded.buffers())
    planned = weight_bytes(config, skeleton, torch.float32)
    modules = quantized_modules(config, skeleton, torch.float32)
    assert bool(modules) == (quantization != "none")
    assert planned == pytest.approx(held, rel=0.08)
