"""Images through the frozen vision tower and projector: once each, without a graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from studio.models.image_features.families import FAMILIES
from studio.models.image_features.row_token_ids import Preprocessed

AT_ONCE = 4
TILED = 5
"""Dimensions of pixel values that have one for tiles: (images, tiles, channels, height, width)."""


@dataclass
class EncodedImages(BaseModelOutputWithPooling):
    """What a model's vision tower would have returned, as far as the model looks at it.

    Attributes:
        deepstack_features: For each layer that is fed again, features of all images.
        visual_indicator_features: Of the marks between an image's tokens (Ovis 2).
    """

    deepstack_features: list[list[torch.Tensor]] | None = None
    visual_indicator_features: torch.Tensor | None = None


def encode(model: PreTrainedModel, images: Sequence[Preprocessed]) -> list[torch.Tensor]:
    """Return the features of each image, (image tokens, hidden size), in the order given."""
    found: list[torch.Tensor] = []
    with torch.no_grad():
        for batch in _alike(images):
            found += _encode_alike(model, batch)
    return found


def _alike(images: Sequence[Preprocessed]) -> list[list[Preprocessed]]:
    """Consecutive images whose tensors can be stacked."""
    batches: list[list[Preprocessed]] = []
    for image in images:
        if batches and len(batches[-1]) < AT_ONCE and _shape(batches[-1][0]) == _shape(image):
            batches[-1].append(image)
        else:
            batches.append([image])
    return batches


def _shape(image: Preprocessed) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in image.inputs.items()}


def _encode_alike(model: PreTrainedModel, images: Sequence[Preprocessed]) -> list[torch.Tensor]:
    device = model.device
    inputs = {
        name: torch.cat([i.inputs[name].to(device, non_blocking=True) for i in images])
        for name in images[0].inputs
    }
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    tiled = FAMILIES[model.config.model_type].tiles and inputs["pixel_values"].dim() == TILED
    if device.type == "cpu" and tiled:
        return [_tile_by_tile(model, inputs, number) for number in range(len(images))]
    features = flat_features(model.base_model.get_image_features(**inputs, return_dict=True))
    token = model.config.image_token_id
    return list(features.split([image.expansion.tokens.count(token) for image in images]))


def as_outputs(model: PreTrainedModel, features: torch.Tensor) -> EncodedImages:
    """Return the features (image tokens, width) in the form the model takes instead of pixels."""
    first, *again = features.split(model.config.get_text_config().hidden_size, dim=-1)
    family = FAMILIES[model.config.model_type]
    return EncodedImages(
        pooler_output=first if family.joined else [first],
        deepstack_features=[[layer] for layer in again] or None,
        visual_indicator_features=_marks(model) if family.marks else None,
    )


def _marks(model: PreTrainedModel) -> torch.Tensor:
    """Features of Ovis 2's indicator tokens: the last rows of its table of visual tokens."""
    backbone = model.base_model
    count = backbone.vision_tower.num_visual_indicator_tokens
    last = torch.arange(backbone.visual_vocab_size - count, backbone.visual_vocab_size)
    with torch.no_grad():
        return backbone.visual_embeddings_table(last.to(model.device))


def flat_features(output: Any) -> torch.Tensor:
    """Return the features of all images, one after the other: (image tokens, width)."""
    parts = [output.pooler_output, *(getattr(output, "deepstack_features", None) or ())]
    return torch.cat([_rows(part) for part in parts], dim=-1)


def _rows(part: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    whole = part if isinstance(part, torch.Tensor) else torch.cat([*part])
    return whole.reshape(-1, whole.shape[-1])


def _tile_by_tile(
    model: PreTrainedModel, inputs: dict[str, torch.Tensor], number: int
) -> torch.Tensor:
    """Features of one image of (images, tiles, …) inputs: small activations stay in the cache."""
    parts = []
    for tile in range(inputs["pixel_values"].shape[1]):
        one = {name: value[number : number + 1, tile : tile + 1] for name, value in inputs.items()}
        if one["pixel_values"].any():  # tiles of nothing but 0 are padding to these families
            made = model.base_model.get_image_features(**one, return_dict=True)
            parts.append(flat_features(made))
    return torch.cat(parts)
