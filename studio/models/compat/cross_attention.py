"""Which images the tokens of an answer see, in models that take images by cross-attention.

Llama 3.2 Vision's processor makes that mask for the prompt. A trainer puts the answer behind it
and moves the padding, so the mask is made anew from the tokens when it is too short.

A token before the first image sees none. Transformers turns its row of the mask into "sees
everything", since a softmax over nothing is not defined, and zeroes the feed-forward part behind
it, but not the attention. Such tokens, and whole rows without images beside rows with some, would
be told of images that are not theirs. As in Meta's own code, their attention is zeroed too.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import MllamaForConditionalGeneration, PreTrainedModel
from transformers.models.mllama.modeling_mllama import MllamaCrossAttentionDecoderLayer
from transformers.models.mllama.processing_mllama import get_cross_attention_token_mask

MASK = "cross_attention_mask"
SEES_AN_IMAGE = "full_text_row_masked_out_mask"


def correct_cross_attention(model: PreTrainedModel) -> None:
    """Let `model` lengthen its masks and keep to them; other families are left as they are."""
    if not isinstance(model, MllamaForConditionalGeneration):
        return
    model.model.register_forward_pre_hook(_lengthen, with_kwargs=True)
    for layer in model.modules():
        if isinstance(layer, MllamaCrossAttentionDecoderLayer):
            _BlindTokens().watch(layer)


class _BlindTokens:
    """Zeroes what one layer's cross-attention says to tokens that see no image."""

    def __init__(self) -> None:
        self.seeing: torch.Tensor | None = None

    def watch(self, layer: MllamaCrossAttentionDecoderLayer) -> None:
        layer.register_forward_pre_hook(self._keep, with_kwargs=True)
        layer.cross_attn.register_forward_hook(self._zero)

    def _keep(self, module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        self.seeing = kwargs.get(SEES_AN_IMAGE)  # (rows, 1, tokens, 1): 1 where an image is seen

    def _zero(self, module: torch.nn.Module, inputs: Any, output: Any) -> Any:
        attended, weights = output
        return output if self.seeing is None else (attended * self.seeing[:, 0], weights)


def _lengthen(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]):
    mask, ids = kwargs.get(MASK), kwargs.get("input_ids")
    if mask is None or ids is None or mask.shape[1] >= ids.shape[1]:
        return None
    return args, kwargs | {MASK: mask_of(ids, mask, module.config.image_token_id)}


def mask_of(ids: torch.Tensor, mask: torch.Tensor, image_token: int) -> torch.Tensor:
    """Return the mask of whole rows.

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
