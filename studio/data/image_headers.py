"""What the header of an image file says, read without its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from studio.core.errors import DataError
from studio.data.image_decoding import EXIF_ORIENTATION, FORMATS, PILLOW_ERRORS

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height


def upright_size(path: Path) -> tuple[int, int]:
    """Read width and height of an image once it is turned upright, from its header only.

    Raises:
        DataError: It is no image that can be read.
    """
    with decoding(), Image.open(path, formats=FORMATS) as image:
        width, height = image.size
        sideways = image.getexif().get(EXIF_ORIENTATION, 1) in SIDEWAYS
    return (height, width) if sideways else (width, height)


@contextmanager
def decoding() -> Iterator[None]:
    """Raise what Pillow finds wrong with a kept image as a DataError: it was whole once."""
    try:
        yield
    except PILLOW_ERRORS as error:
        raise DataError(f"damaged image: {error}.", field="image") from error
