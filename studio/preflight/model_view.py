"""An image as the model gets it: resized, cut into tiles, un-normalised back to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from transformers import ProcessorMixin

from studio.core.errors import ModelError
from studio.models.image_tokens import UNUSABLE, patch_side, tile_layout, tiles_of

GAP = 6
PAPER = (128, 128, 128)


@dataclass(frozen=True)
class Sight:
    """What becomes of one image.

    Attributes:
        picture: The tiles where they lie in the image, with gaps between them.
        overview: The whole image in one more tile, if the model gets one.
        tiles: Number of tiles, the overview included.
        width, height: Pixels of what the model gets of the image, without the overview.
    """

    picture: Image.Image
    overview: Image.Image | None
    tiles: int
    width: int
    height: int


def sight_of(processor: ProcessorMixin, image: Image.Image) -> Sight:
    """Put an image through the processor and back.

    Raises:
        ModelError: The processor refuses it, or gives something that is no picture.
    """
    try:
        encoded = processor.image_processor(images=[image], return_tensors="pt")
    except UNUSABLE as error:
        raise ModelError(
            f"The model's processor refuses this image of {image.width} × {image.height} pixels.",
            remedy="Leave it out, or choose another model.",
            field="model.id",
        ) from error
    tiles = [
        Image.fromarray(np.clip(np.rint(tile), 0, 255).astype(np.uint8))
        for tile in _arrays(processor.image_processor, encoded)
    ]
    if len(tiles) == 1:
        return Sight(tiles[0], None, 1, *tiles[0].size)
    layout = tile_layout(processor, image.size, len(tiles))
    if layout is None:
        columns = round(len(tiles) ** 0.5)
        sheet = _sheet(tiles, columns)
        return Sight(sheet, None, len(tiles), *sheet.size)
    width, height = tiles[0].size
    picture = _sheet(tiles[:-1], layout[0])
    return Sight(picture, tiles[-1], len(tiles), layout[0] * width, layout[1] * height)


def _arrays(image_processor: Any, encoded: Any) -> list[np.ndarray]:
    """Tiles as arrays (height, width, 3), before normalisation, 0 to 255; padding cut off."""
    count, tile = tiles_of(encoded, 1)
    if count is None or tile is None:
        raise ModelError(
            "What this model's processor makes of an image cannot be shown as a picture.",
            remedy="The token counts hold all the same.",
            field="model.id",
        )
    pixels = encoded["pixel_values"].float().numpy()
    if "image_grid_thw" in encoded:
        pixels = _unfolded(image_processor, pixels, encoded["image_grid_thw"][0].tolist())
    flat = pixels.reshape(-1, *pixels.shape[-3:]).transpose(0, 2, 3, 1)
    if getattr(image_processor, "do_normalize", True):
        flat = flat * np.asarray(image_processor.image_std) + np.asarray(image_processor.image_mean)
    if getattr(image_processor, "do_rescale", True):
        flat = flat / (image_processor.rescale_factor or 1 / 255)
    masks = encoded.get("pixel_attention_mask")
    if masks is None:
        return list(flat)
    masks = masks.numpy().reshape(-1, *masks.shape[-2:])
    return [_unpadded(tile, mask) for tile, mask in zip(flat, masks, strict=True)]


def _unfolded(image_processor: Any, patches: np.ndarray, grid: list[int]) -> np.ndarray:
    """Flat patches in blocks of merge × merge, back to (1, 3, height, width); first frame."""
    _, rows, columns = grid
    side = patch_side(patches)
    merge = getattr(image_processor, "merge_size", 1)
    frames = patches.shape[-1] // (3 * side * side)
    blocks = patches[: rows * columns].reshape(
        rows // merge, columns // merge, merge, merge, 3, frames, side, side
    )[:, :, :, :, :, 0]
    return blocks.transpose(4, 0, 2, 5, 1, 3, 6).reshape(1, 3, rows * side, columns * side)


def _unpadded(tile: np.ndarray, mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return tile
    return tile[: rows[-1] + 1, : columns[-1] + 1]


def _sheet(tiles: list[Image.Image], columns: int) -> Image.Image:
    width = max(tile.width for tile in tiles) + GAP
    height = max(tile.height for tile in tiles) + GAP
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * width - GAP, rows * height - GAP), PAPER)
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % columns * width, place // columns * height))
    return sheet
