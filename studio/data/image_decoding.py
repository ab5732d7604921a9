"""Images that strangers made, decoded within limits; one normalisation for all.

Browse, training and chat all see `open_image`'s pixels: RGB, upright, first frame, transparency
on white. Nothing here fetches over a network.
"""

from __future__ import annotations

import io
import os
import struct
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps

from studio.core.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_BYTES = 64 * 1024 * 1024
# An image of MAX_PIXELS takes 240 MB while it is decoded, with transparency three times as much.
MAX_PIXELS = 80_000_000
MAX_EDGE = 65_535
MAX_SECONDS = 5.0
# A few bytes of a progressive JPEG can be a scan over the whole image: time is looked at between
# blocks of this size.
BLOCK = 1024
THUMB_EDGE = 320
EXIF_ORIENTATION = 0x0112

# What Pillow's own corpus of broken files raises: OSError alone is not enough.
PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    NotImplementedError,
    LookupError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
# Process-wide on purpose: `catch_warnings` is not safe with threads.
warnings.simplefilter("error", Image.DecompressionBombWarning)


def open_image(source: bytes | str | os.PathLike[str]) -> Image.Image:
    """Decode one image: RGB, upright, first frame, transparency on white.

    The content decides the format (PNG, JPEG, WebP, GIF or BMP), not the name.

    Raises:
        DataError: With the reason, when it is no such image, is damaged, has more than
            `MAX_BYTES` bytes, `MAX_PIXELS` pixels or `MAX_EDGE` pixels a side, or takes more than
            `MAX_SECONDS` of a processor to decode.
    """
    with decoding():
        return _normalise(_loaded(opened(read_image(source))))


def read_image(source: bytes | str | os.PathLike[str]) -> bytes:
    """Read the bytes of an image. Raises DataError when there are too many, or they cannot be read."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
    else:
        path = Path(source)
        try:
            with path.open("rb") as handle:
                content = handle.read(MAX_BYTES + 1)
        except OSError as error:
            raise DataError(
                f"cannot read the image {path.name}: {error.strerror or error}.", field="image"
            ) from error
    if len(content) > MAX_BYTES:
        raise DataError(f"image file over {MAX_BYTES >> 20} MB.", field="image")
    return content


class _Timed(io.BytesIO):
    """A file in memory that stops being read when its decoding has taken too long.

    Counted is what this thread uses of a processor, so that a busy machine refuses nothing.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._end = time.thread_time() + MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        if time.thread_time() > self._end:
            raise DataError(
                f"the image takes more than {MAX_SECONDS:g} s to decode.", field="image"
            )
        return super().read(size)


def opened(content: bytes) -> Image.Image:
    """Return the image as it is in the file, its pixels not decoded yet. Raises DataError."""
    if not content:
        raise DataError("the image is empty.", field="image")
    image = Image.open(_Timed(content), formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"image of {width:,} × {height:,} pixels; the limit is {MAX_PIXELS // 10**6} megapixels.",
            field="image",
        )
    if max(width, height) > MAX_EDGE:
        raise DataError(
            f"image of {width:,} × {height:,} pixels; the limit is {MAX_EDGE:,} a side.",
            field="image",
        )
    return image


def _loaded(image: Image.Image) -> Image.Image:
    """The same image, decoded to its end."""
    if image.info.get("progressive"):
        setattr(image, "decodermaxblock", BLOCK)  # noqa: B010 - only files have it
    image.load()
    return image


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what Pillow raises into a DataError with the reason."""
    try:
        yield
    except DataError:
        raise
    except Image.UnidentifiedImageError as error:
        raise DataError(
            "not a PNG, JPEG, WebP, GIF or BMP image, whatever its name says.", field="image"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError("image of too many pixels (decompression bomb).", field="image") from error
    except PILLOW_ERRORS as error:
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise DataError(f"damaged image: {reason}.", field="image") from error


def thumbnail_and_view(original: Image.Image) -> tuple[bytes, bytes | None]:
    """Encode the thumbnail and, where a browser would show the file differently, a normalised copy.

    A large image is shrunk before it is converted, so that there is no second one of its size; a
    large JPEG is decoded to a fraction of its size in the first place, and read to its end too.
    """
    full = original.size
    if original.format == "JPEG" and original.mode in ("L", "RGB") and _is_upright(original):
        original.draft(None, _scaled(full, 4 * THUMB_EDGE))
    image = _loaded(original)
    if not _is_plain(image):
        image = _normalise(image)
        return _encoded_thumb(_thumbnail(image, full=image.size)), _encoded(image, "PNG")
    factor = max(image.size) // (4 * THUMB_EDGE)
    if factor > 1 and image.mode in ("RGB", "RGBA", "L"):
        image = image.reduce(factor)
    image = image if image.mode == "RGB" else image.convert("RGB")
    return _encoded_thumb(_thumbnail(image, full)), None


def _normalise(image: Image.Image) -> Image.Image:
    """A decoded image as everything here sees it."""
    if not _is_upright(image):
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits a pixel; Pillow's own conversion clips
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if not _is_opaque(image):
            white = Image.new("RGB", image.size, "white")
            white.paste(image, mask=image.getchannel("A"))
            image = white
    return image if image.mode == "RGB" else image.convert("RGB")


def _is_opaque(rgba: Image.Image) -> bool:
    return rgba.getchannel("A").getextrema()[0] == 255


def _thumbnail(image: Image.Image, full: tuple[int, int]) -> Image.Image:
    """`image` as small as thumbnails of images of `full` size are."""
    if max(full) <= THUMB_EDGE:
        return image
    return image.resize(_scaled(full, THUMB_EDGE), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _scaled(size: tuple[int, int], edge: int) -> tuple[int, int]:
    """`size` in the same proportions with `edge` pixels on its longer side, unless it is smaller."""
    scale = min(1.0, edge / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _is_upright(image: Image.Image) -> bool:
    return image.getexif().get(EXIF_ORIENTATION, 1) == 1


def _is_plain(original: Image.Image) -> bool:
    """Whether a browser shows the file as `open_image` decodes it."""
    if getattr(original, "is_animated", False) or original.format in ("MPO", "BMP"):
        return False
    if not _is_upright(original):
        return False
    if original.has_transparency_data:
        return _is_opaque(original if original.mode == "RGBA" else original.convert("RGBA"))
    return original.mode in ("1", "L", "P", "RGB")


def _encoded_thumb(image: Image.Image) -> bytes:
    return _encoded(image, "JPEG", quality=88, subsampling=0)


def _encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
