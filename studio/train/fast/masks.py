"""Who sees whom in a layout, in the form the model asks for."""

from __future__ import annotations

import torch
from torch.nn import functional

from studio.train.fast.layout import Layout


def visible(layout: Layout) -> torch.Tensor:
    """Boolean (rows, places, places): a place sees its own path up to itself."""
    segments, ancestors = layout["segments"], layout["ancestors"]
    rows = torch.arange(len(segments), device=segments.device)[:, None, None]
    seen = ancestors[rows, segments[:, :, None], segments[:, None, :]].tril()
    return seen | torch.eye(segments.shape[1], dtype=torch.bool, device=segments.device)


def attention_mask(layout: Layout, *, additive: torch.dtype | None) -> torch.Tensor:
    """The layout's own (rows, places), or (rows, 1, places, places) where rows are shared.

    Args:
        additive: The number format of a mask that is added to scores; None for a boolean one.
    """
    if "segments" not in layout:
        return layout["attention_mask"]
    return _formed(visible(layout), additive)


def block_masks(
    layout: Layout, *, window: int, additive: torch.dtype | None
) -> dict[str, torch.Tensor]:
    """Masks of a shared layout in which an image's tokens see all of it, for both kinds of layers.

    Args:
        window: How many tokens, itself included, a token sees back in the sliding layers.
    """
    blocks, positions = image_blocks(layout), layout["position_ids"]
    same = (blocks[:, :, None] == blocks[:, None, :]) & (blocks >= 0)[:, :, None]
    full = visible(layout) | same
    near = positions[:, None, :] > positions[:, :, None] - window
    return {
        "full_attention": _formed(full, additive),
        "sliding_attention": _formed(full & near, additive),
    }


def image_blocks(layout: Layout) -> torch.Tensor:
    """(rows, places): the number of the image a place belongs to, -1 for text."""
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
