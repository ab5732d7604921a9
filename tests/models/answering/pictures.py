"""Pictures of any size, as PNG files."""

import io

import numpy as np
from PIL import Image


def picture(number: int, size: tuple[int, int]) -> bytes:
    """A picture of coloured noise, another for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
