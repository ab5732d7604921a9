from __future__ import annotations

import json
import time

import pytest
from PIL import Image

from studio.core.errors import DataError, NotFoundError
from studio.data import image_store as module
from studio.data.image_store import open_image, resolve_inside
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


def test_a_large_jpeg_is_never_decoded_at_its_full_size_to_be_kept(images, monkeypatch):
    decoded = []
    loaded = module._loaded

    def seen(image):
        decoded.append(loaded(image).size)
        return image

    monkeypatch.setattr(module, "_loaded", seen)
    large = encoded(Image.effect_noise((4000, 3000), 40), "JPEG", quality=30)
    sha = images.add(large)
    assert decoded == [(2000, 1500)]
    assert Image.open(images.thumb_path(sha)).size == (320, 240)
    assert images.open(sha).size == (4000, 3000)
    with pytest.raises(DataError, match="damaged"):
        images.add(large[: len(large) * 3 // 4])
    rotated = Image.Exif()
    rotated[module.EXIF_ORIENTATION] = 6
    turned = images.add(encoded(Image.new("RGB", (3000, 40)), "JPEG", exif=rotated))
    assert Image.open(images.view_path(turned)).size == (40, 3000)


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


def test_adding_twice_keeps_one_file(images, workspace):
    first, again = images.add(png()), images.add(png())
    assert first == again
    files = [path for path in workspace.images.rglob("*") if path.is_file()]
    assert [path.name for path in files] == [f"{first}.png"]
    assert images.path(first).read_bytes() == png()
    assert images.open(first).size == (8, 6)
    assert Image.open(images.thumb_path(first)).size == (8, 6)


def test_thumbnails_are_small_and_the_name_follows_the_content(images, tmp_path):
    path = tmp_path / "big.jpg"
    path.write_bytes(png(size=(1000, 500)))
    sha = images.add(path)
    assert images.path(sha).suffix == ".png"
    assert Image.open(images.thumb_path(sha)).size == (320, 160)


def test_browsers_see_what_training_sees(images):
    plain = images.add(png())
    clear = images.add(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG"))
    assert images.view_path(plain) == images.path(plain)
    assert Image.open(images.view_path(clear)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 64, "A" * 64])
def test_unknown_names_are_not_found(images, name):
    with pytest.raises(NotFoundError):
        images.path(name)


@pytest.mark.parametrize(
    "name",
    [
        "../a.png", "x/../../a.png", "/etc/passwd", "~/a.png", "C:\\a.png", "\\\\host\\a.png",
        "//host/a.png", "http://169.254.169.254/x.png", "file:///etc/passwd", "data:image/png;x",
        "missing.png", "a\0.png", "..\\a.png", "x" * 5000,
    ],
)  # fmt: skip
def test_names_that_lead_outside_are_refused(folder, name):
    with pytest.raises(DataError):
        resolve_inside(folder, name)


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    (folder / "link.png").symlink_to(secret)
    with pytest.raises(DataError, match="link out of the folder"):
        resolve_inside(folder, "link.png")
    assert resolve_inside(folder, "./a.png") == (folder / "a.png").resolve()
