"""Patch embeddings as the matrix product they are.

Qwen's vision towers cut an image into patches beforehand and put each through a `Conv3d` whose
kernel is as large as the patch: one output value per filter, hence a linear layer. PyTorch's
convolution takes several times as long for it on a CPU, and on some versions on a GPU too.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import linear
from transformers import PreTrainedModel


class PatchConv3d(nn.Conv3d):
    """A `Conv3d` that multiplies where its input is one kernel large; weights and names stay."""

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(patches, channels, *kernel) to (patches, filters, 1, 1, 1)."""
        if patches.dim() != 5 or tuple(patches.shape[2:]) != self.kernel_size:
            return super().forward(patches)
        found = linear(patches.flatten(1), self.weight.flatten(1), self.bias)
        return found[..., None, None, None]


def multiply_patches(model: PreTrainedModel) -> None:
    """Let every plain, ungrouped `Conv3d` of `model` multiply where that is the same."""
    for module in model.modules():
        if type(module) is not nn.Conv3d or module.groups != 1:
            continue
        if module.padding == (0, 0, 0) and module.dilation == (1, 1, 1):
            module.__class__ = PatchConv3d
