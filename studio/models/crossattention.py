"""Which images the tokens of an answer see, in models that take images by cross-attention.

Llama 3.2 Vision's processor makes that mask for the prompt. A trainer puts the answer behind it
and moves the padding, so the mask is made anew from the tokens when it is too short.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import MllamaForConditionalGeneration, PreTrainedModel
from transformers.models.mllama.processing_mllama import get_cross_attention_token_mask

MASK = "cross_attention_mask"


def cover_answers(model: PreTrainedModel) -> None:
    """Make `model` lengthen the masks it is given; other families are left as they are."""
    if isinstance(model, MllamaForConditionalGeneration):
        model.model.register_forward_pre_hook(_lengthen, with_kwargs=True)


def _lengthen(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]):
    mask, ids = kwargs.get(MASK), kwargs.get("input_ids")
    if mask is None or ids is None or mask.shape[1] >= ids.shape[1]:
        return None
    return args, kwargs | {MASK: mask_of(ids, mask, module.config.image_token_id)}


def mask_of(ids: torch.Tensor, mask: torch.Tensor, image_token: int) -> torch.Tensor:
    """The mask of whole rows.

    Args:
        ids: Token ids, (rows, tokens), padded on the right.
        mask: Of their prompts, (rows, fewer tokens, images, tiles): which tiles an image has.
        image_token: Id of the token that stands for an image.

    Returns:
        (rows, tokens, images, tiles): each token sees the tiles of the image before it, by the
        rule of the processor.
    """
    tiles = mask.amax(dim=1)
    whole = mask.new_zeros(ids.shape[0], ids.shape[1], *tiles.shape[1:])
    for row, tokens in enumerate(ids.tolist()):
        for image, (first, end) in enumerate(get_cross_attention_token_mask(tokens, image_token)):
            whole[row, first : end if end >= 0 else len(tokens), image] = tiles[row, image]
    return whole
