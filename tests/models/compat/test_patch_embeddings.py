"""A patch embedding that multiplies gives what the convolution gave."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from studio.models.compat.patch_embeddings import PatchConv3d, multiply_patches

KERNEL = (2, 7, 7)


class Patches(nn.Module):
    def __init__(self, **changes) -> None:
        super().__init__()
        self.proj = nn.Conv3d(
            **{"in_channels": 3, "out_channels": 16, "kernel_size": KERNEL} | changes
        )

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return self.proj(patches)


def results(model: nn.Module, patches: torch.Tensor) -> list[torch.Tensor]:
    """Output and the gradients of input, weight and bias."""
    given = patches.clone().requires_grad_()
    model.zero_grad()
    found = model(given)
    found.square().mean().backward()
    return [found.detach(), given.grad, *(weight.grad.clone() for weight in model.parameters())]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [KERNEL, (4, 14, 7)], ids=["patches", "larger"])
def test_output_and_gradients_are_the_same(bias: bool, size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    model = Patches(stride=KERNEL, bias=bias)
    patches, names = torch.randn(10, 3, *size), list(model.state_dict())
    before = results(model, patches)
    multiply_patches(model)
    assert type(model.proj) is PatchConv3d and list(model.state_dict()) == names
    for mine, theirs in zip(results(model, patches), before, strict=True):
        assert mine.shape == theirs.shape
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "changes", [{"padding": 1}, {"dilation": 2}, {"in_channels": 4, "groups": 2}], ids=str
)
def test_other_convolutions_are_left_alone(changes: dict) -> None:
    model = Patches(**changes)
    multiply_patches(model)
    assert type(model.proj) is nn.Conv3d


def test_the_patches_of_qwen_are_multiplied() -> None:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    vision = {"depth": 1, "embed_dim": 32, "num_heads": 2, "hidden_size": 32, "mlp_ratio": 2}
    text = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "num_key_value_heads": 2}  # fmt: skip
    with torch.device("meta"):
        model = Qwen2VLForConditionalGeneration(
            Qwen2VLConfig(vision_config=vision, text_config=text)
        )
    multiply_patches(model)
    assert type(model.model.visual.patch_embed.proj) is PatchConv3d
