from __future__ import annotations

import json
import time

import pytest
from PIL import Image

from studio.core.errors import DataError
from studio.data import image_decoding as module
from studio.data.image_decoding import open_image
from tests.data.conftest import encoded, leaping_bmp, png, slow_jpeg


def pixel(content: bytes, at=(0, 0)) -> tuple[int, int, int]:
    image = open_image(content)
    assert image.mode == "RGB"
    return image.getpixel(at)


def test_transparency_lies_on_white():
    clear = Image.new("RGBA", (2, 2), (200, 0, 0, 0))
    half = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert pixel(encoded(clear, "PNG")) == (255, 255, 255)
    assert pixel(encoded(half, "PNG"))[0] == pytest.approx(127, abs=1)


def test_a_transparent_palette_entry_lies_on_white():
    image = Image.new("P", (2, 2), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert pixel(encoded(image, "PNG", transparency=0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_png_mode_becomes_rgb(mode):
    assert pixel(encoded(Image.new(mode, (3, 3)), "PNG")) in ((0, 0, 0), (255, 255, 255))


def test_cmyk_becomes_rgb():
    assert pixel(encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 0)), "JPEG")) == (255, 255, 255)


def test_sixteen_bits_keep_their_greys():
    grey = Image.new("I;16", (2, 2), 0x8000)
    assert pixel(encoded(grey, "PNG")) == (128, 128, 128)


def test_exif_rotation_is_applied():
    image = Image.new("RGB", (6, 2), "black")
    exif = Image.Exif()
    exif[module.EXIF_ORIENTATION] = 6
    assert open_image(encoded(image, "JPEG", exif=exif)).size == (2, 6)


def test_an_animation_is_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(content) == (255, 0, 0)


def test_the_content_decides_not_the_name(tmp_path):
    path = tmp_path / "picture.txt"
    path.write_bytes(png())
    assert open_image(path).size == (8, 6)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "not a PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a PNG"),
        (encoded(Image.new("RGB", (4, 4)), "TIFF"), "not a PNG"),
        (png(size=(200, 200))[:90], "damaged"),
    ],
)
def test_what_is_no_usable_image_is_refused_with_the_reason(content, reason):
    with pytest.raises(DataError, match=reason):
        open_image(content)


def test_limits_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 40)
    with pytest.raises(DataError, match="8 × 6 pixels"):
        open_image(png())
    monkeypatch.setattr(module, "MAX_BYTES", 20)
    with pytest.raises(DataError, match="over"):
        open_image(png())


def test_a_slow_decode_is_given_up_with_the_reason(monkeypatch):
    assert open_image(slow_jpeg(3)).size == (1000, 1000)
    monkeypatch.setattr(module, "MAX_SECONDS", 0.05)
    content, began = slow_jpeg(20_000), time.thread_time()
    with pytest.raises(DataError, match=r"takes more than 0\.05 s to decode"):
        open_image(content)
    assert time.thread_time() - began < 1


def test_one_edge_alone_can_be_too_long():
    """Four bytes of such a file would stand for 255 rows, 50 MB here."""
    with pytest.raises(DataError, match="200,000 × 2 pixels; the limit is 65,535 a side"):
        open_image(leaping_bmp(200_000, 2))
    assert open_image(leaping_bmp(200, 90)).size == (200, 90)


def test_hostile_images_are_read_or_refused_never_worse(shared):
    lines = (shared / "hostile_images" / "index.jsonl").read_text().splitlines()
    good = 0
    for line in lines:
        entry, began = json.loads(line), time.thread_time()
        try:
            open_image(shared / "hostile_images" / entry["file"])
            good += 1
            assert entry["outcome"] == "ok"
        except DataError as error:
            assert error.message
        assert time.thread_time() - began < module.MAX_SECONDS, entry["file"]
    assert len(lines) == 94 and good == 14
