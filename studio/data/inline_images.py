"""Images written into a text: `data:image/png;base64,…`, or the base64 alone."""

from __future__ import annotations

import base64
import binascii
import re

from studio.core.errors import DataError

_ADDRESS = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,", re.IGNORECASE)
# How PNG, JPEG, GIF, WebP and BMP files begin, in base64.
_BEGINNINGS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
SHORTEST = 64  # no image file is smaller, and few names are longer


def inline_image(text: str) -> bytes | None:
    """Decode the file that `text` holds; None when it is a name.

    Raises:
        DataError: The base64 of a `data:` address is damaged.
    """
    address = _ADDRESS.match(text)
    looks_like_it = len(text) >= SHORTEST and text.startswith(_BEGINNINGS)
    if address is None and not (looks_like_it and _BASE64.fullmatch(text)):
        return None
    body = text[address.end() :] if address else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"the base64 of the image is damaged: {error}.", field="image") from error
