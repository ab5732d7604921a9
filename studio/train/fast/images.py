"""Images through the frozen vision tower and projector: once each, without a graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from studio.train.fast.tokens import Preprocessed

AT_ONCE = 4
TILED = 5
"""Dimensions of pixel values that have one for tiles: (images, tiles, channels, height, width)."""


def encode(model: PreTrainedModel, images: Sequence[Preprocessed]) -> list[torch.Tensor]:
    """Features of each image, (image tokens, hidden size), in the order given."""
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
    inputs = {
        name: torch.cat([image.inputs[name] for image in images]).to(model.device)
        for name in images[0].inputs
    }
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    if model.device.type == "cpu" and inputs["pixel_values"].dim() == TILED:
        return [_tile_by_tile(model, inputs, number) for number in range(len(images))]
    features = model.get_image_features(**inputs, return_dict=True).pooler_output
    return [part.reshape(-1, part.shape[-1]) for part in features]


def _tile_by_tile(
    model: PreTrainedModel, inputs: dict[str, torch.Tensor], number: int
) -> torch.Tensor:
    """Features of one image of (images, tiles, …) inputs: small activations stay in the cache."""
    parts = []
    for tile in range(inputs["pixel_values"].shape[1]):
        one = {name: value[number : number + 1, tile : tile + 1] for name, value in inputs.items()}
        if one["pixel_values"].any():  # tiles of nothing but 0 are padding to these families
            parts += model.get_image_features(**one, return_dict=True).pooler_output
    return torch.cat(parts)
