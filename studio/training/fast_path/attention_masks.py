"""Who sees whom in a layout, in the form the model asks for."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch.nn import functional

from studio.models.image_features.families import Windows
from studio.training.fast_path.shared_prompt_layout import Layout


def visible(layout: Layout) -> torch.Tensor:
    """Return a Boolean (rows, places, places): a place sees its own path up to itself."""
    segments, ancestors = layout["segments"], layout["ancestors"]
    rows = torch.arange(len(segments), device=segments.device)[:, None, None]
    seen = ancestors[rows, segments[:, :, None], segments[:, None, :]].tril()
    return seen | torch.eye(segments.shape[1], dtype=torch.bool, device=segments.device)


def attention_masks(
    layout: Layout,
    *,
    windows: Windows,
    blocks: Collection[str] = (),
    additive: torch.dtype | None = None,
) -> dict[str, torch.Tensor]:
    """Return for each kind of layer the mask (rows, 1, places, places) of a layout with shared
    rows.

    Args:
        windows: The kinds of layers.
        blocks: Kinds in which an image's tokens, or a prompt's, see all of it.
        additive: The number format of a mask that is added to scores; None for a boolean one.
    """
    seen, positions = visible(layout), layout["position_ids"]
    found = {}
    for kind, window in windows.items():
        mask = seen | same_block(layout) if kind in blocks else seen
        if window is not None:
            mask = mask & (positions[:, None, :] > positions[:, :, None] - window)
        found[kind] = _formed(mask, additive)
    return found


def same_block(layout: Layout) -> torch.Tensor:
    """Return a Boolean (rows, places, places): both places belong to the prompt, or to one image."""
    if "prefix" in layout:
        return layout["prefix"][:, :, None] & layout["prefix"][:, None, :]
    blocks = image_blocks(layout)
    return (blocks[:, :, None] == blocks[:, None, :]) & (blocks >= 0)[:, :, None]


def image_blocks(layout: Layout) -> torch.Tensor:
    """Return (rows, places): the number of the image a place belongs to, -1 for text."""
    image, segments = layout["slots"] >= 0, layout["segments"]
    goes_on = image[:, :-1] & image[:, 1:] & (segments[:, :-1] == segments[:, 1:])
    begins = image & ~functional.pad(goes_on, (1, 0), value=False)
    return torch.where(image, begins.cumsum(dim=1) - 1, -1)


def _formed(seen: torch.Tensor, additive: torch.dtype | None) -> torch.Tensor:
    seen = seen[:, None]
    if additive is None:
        return seen
    lowest = torch.finfo(additive).min
    return torch.zeros_like(seen, dtype=additive).masked_fill(~seen, lowest)
