"""Messages of rows as an OpenAI-compatible endpoint takes them: text, and images as data URLs."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

from studio.core.errors import DataError
from studio.data.schema import Message

LONGEST_EDGE = 2048
"""Images are shrunk to it: the services that are known shrink them further themselves."""
MOST_PNG_BYTES = 2**20
"""Larger images are sent as JPEG."""
JPEG_QUALITY = 90


def chat_messages(
    messages: Sequence[Message], images: Sequence[Image.Image]
) -> list[dict[str, Any]]:
    """Write messages as `/chat/completions` takes them.

    Args:
        images: Those of the placeholders, in order, as `open_image` decodes them: nothing of
            the file but its pixels is sent.

    Raises:
        DataError: There are more or fewer images than placeholders.
    """
    places = sum(part.type == "image" for message in messages for part in message.parts)
    if places != len(images):
        raise DataError(
            f"The question has places for {places} images, and {len(images)} were given.",
            field="image",
        )
    waiting = iter(images)
    return [{"role": message.role, "content": _content(message, waiting)} for message in messages]


def data_url(image: Image.Image) -> str:
    """Encode the pixels of an image anew, bounded in size, as a `data:` address."""
    plain = image if image.mode == "RGB" else image.convert("RGB")
    if max(plain.size) > LONGEST_EDGE:
        plain = plain.copy()
        plain.thumbnail((LONGEST_EDGE, LONGEST_EDGE), Image.Resampling.LANCZOS)
    content, kind = _encoded(plain, "PNG", optimize=False), "png"
    if len(content) > MOST_PNG_BYTES:
        content, kind = _encoded(plain, "JPEG", quality=JPEG_QUALITY), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _content(message: Message, images: Iterator[Image.Image]) -> str | list[dict[str, Any]]:
    """A text alone as a text: servers of text models take nothing else."""
    if all(part.type == "text" for part in message.parts):
        return message.text
    return [
        {"type": "text", "text": part.text}
        if part.type == "text"
        else {"type": "image_url", "image_url": {"url": data_url(next(images))}}
        for part in message.parts
    ]


def _encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    clean = Image.new("RGB", image.size)  # without what the file said beside the pixels
    clean.paste(image)
    buffer = io.BytesIO()
    clean.save(buffer, form, **options)
    return buffer.getvalue()
