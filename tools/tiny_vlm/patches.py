"""What an image token stands on: the share of each colour in its part of the chart.

Training names these colours at the image tokens themselves, in the words' own embeddings, so that
a question about a colour finds its place in the image by likeness.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageColor

from tools.tiny_vlm.chart import COLOURS
from tools.tiny_vlm.draw import INK
from tools.tiny_vlm.model import IMAGE_SIDE, PATCH, SHUFFLE

TOKEN_SIDE = PATCH * SHUFFLE
NEAR = 110
"""Largest distance, summed over R, G and B of 0 to 255, at which a pixel has an ink's colour."""

_INKS = np.array([ImageColor.getrgb(INK[colour]) for colour in COLOURS], dtype=np.int32)


def colour_shares(image: Image.Image) -> torch.Tensor:
    """Shares of `COLOURS` and, last, of no colour, at each image token: (tokens, colours + 1)."""
    pixels = np.asarray(image.resize((IMAGE_SIDE, IMAGE_SIDE), Image.BOX), dtype=np.int32)
    distance = np.abs(pixels[:, :, None] - _INKS).sum(-1)
    inked = distance.min(-1) < NEAR
    nearest = distance.argmin(-1)[..., None] == np.arange(len(COLOURS))
    marks = np.concatenate([nearest & inked[..., None], ~inked[..., None]], axis=-1)
    rows = IMAGE_SIDE // TOKEN_SIDE
    tiles = marks.reshape(rows, TOKEN_SIDE, rows, TOKEN_SIDE, -1).astype(np.float32)
    return torch.from_numpy(tiles.mean((1, 3)).reshape(rows * rows, -1))
