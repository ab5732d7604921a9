from __future__ import annotations

import base64
import io
import random

from PIL import Image

from studio.models.chat_parts import LONGEST_EDGE, data_url


def opened(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_large_image_is_shrunk_and_sent_as_jpeg_without_what_its_file_said():
    noise = random.Random(1).randbytes(300 * 200 * 3)
    image = Image.frombytes("RGB", (300, 200), noise).resize((3000, 2000))
    image.info = {"exif": b"Exif\0\0place", "comment": "mine"}
    sent = opened(data_url(image))
    assert sent.format == "JPEG" and sent.size == (LONGEST_EDGE, 1365)
    assert not sent.getexif() and b"place" not in str(sent.info).encode()


def test_small_image_is_sent_as_it_is():
    image = Image.new("RGB", (20, 10), (1, 2, 3))
    assert opened(data_url(image)).convert("RGB").tobytes() == image.tobytes()
