"""Which modules are quantized."""

import pytest
import torch

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.load import skeleton_of
from studio.models.quantize import quantization_config
from studio.training.planning.weight_memory import quantized_modules
from tests.training.one_step import OneStep


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return OneStep(tmp_path_factory.mktemp("adapters"))


def test_skipped_modules_are_named_wherever_they_lie_and_the_head_always_is(one):
    skeleton = skeleton_of(one.config().model)
    model = ModelConfig(quantization="int8", skip_modules=["vision_model"])
    skipped = quantization_config(model, skeleton, torch.float32).llm_int8_skip_modules
    assert {"model.vision_model", "lm_head"} <= set(skipped)
    quantized = quantized_modules(model, skeleton, torch.float32)
    assert quantized and not [name for name in quantized if "vision_model" in name]
    with pytest.raises(ModelError, match="no module") as caught:
        quantization_config(
            ModelConfig(quantization="nf4", skip_modules=["vision_tower"]), skeleton, torch.float32
        )
    assert caught.value.field == "model.skip_modules"


def test_projections_inside_attention_modules_are_never_quantized(one):
    """`nn.MultiheadAttention` (SigLIP's pooling head) multiplies by its weights itself."""
    skeleton = skeleton_of(one.config().model)
    skeleton.model.vision_model.add_module("head", torch.nn.MultiheadAttention(32, 2))
    model = ModelConfig(quantization="nf4", skip_modules=["connector"])
    quantized = quantized_modules(model, skeleton, torch.float32)
    assert not [name for name in quantized if ".head." in name or "connector" in name]
    assert any("vision_model" in name for name in quantized)
