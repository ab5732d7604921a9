"""What a writer of candidates sees of a row's images: all, nothing, or hardly anything.

An answer that was written without the image, or to one spoilt on purpose, is one that people can
tell from a good one: it shows what the image is worth.
"""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import Image

from studio.core.errors import InputError
from studio.data.image_store import ImageStore
from studio.data.schema import Row

ALL, NONE, SPOILT = "", "none", "spoilt"
WORDS = {NONE: "without the image", SPOILT: "spoilt image"}
LEFT = 12
"""Pixels along the longer side that are left of a spoilt image, before it is enlarged again."""


def pictured(row: Row, picture: str, images: ImageStore) -> Row:
    """Return a row as a writer sees it.

    Raises:
        DataError, NotFoundError: An image cannot be read.
    """
    if picture == ALL or not row.images:
        return row
    if picture == SPOILT:
        return replace(row, images=tuple(spoilt(sha, images) for sha in row.images))
    if picture != NONE:
        raise InputError(f"There is no way {picture[:40]!r} to see an image.")
    turns = (
        replace(turn, parts=tuple(part for part in turn.parts if part.type != "image"))
        for turn in row.prompt
    )
    return replace(row, images=(), prompt=tuple(turns))


def spoilt(sha: str, images: ImageStore) -> str:
    """Return the name of the image as it looks through frosted glass, kept beside the others."""
    original = images.open(sha)
    scale = LEFT / max(original.size)
    width, height = (max(1, round(side * scale)) for side in original.size)
    small = original.resize((width, height))
    content = io.BytesIO()
    small.resize(original.size, Image.Resampling.BILINEAR).save(content, "JPEG", quality=60)
    return images.add(content.getvalue())
