from __future__ import annotations

import pytest
from PIL import Image

from studio.core.errors import DataError, NotFoundError
from studio.data import image_decoding
from tests.data.conftest import encoded, png


def test_a_large_jpeg_is_never_decoded_at_its_full_size_to_be_kept(images, monkeypatch):
    decoded = []
    loaded = image_decoding._loaded

    def seen(image):
        decoded.append(loaded(image).size)
        return image

    monkeypatch.setattr(image_decoding, "_loaded", seen)
    large = encoded(Image.effect_noise((4000, 3000), 40), "JPEG", quality=30)
    sha = images.add(large)
    assert decoded == [(2000, 1500)]
    assert Image.open(images.thumb_path(sha)).size == (320, 240)
    assert images.open(sha).size == (4000, 3000)
    with pytest.raises(DataError, match="damaged"):
        images.add(large[: len(large) * 3 // 4])
    rotated = Image.Exif()
    rotated[image_decoding.EXIF_ORIENTATION] = 6
    turned = images.add(encoded(Image.new("RGB", (3000, 40)), "JPEG", exif=rotated))
    assert Image.open(images.view_path(turned)).size == (40, 3000)


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
