"""Which images look alike, and which only have the same layout."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from studio.core.errors import DataError, NotFoundError
from studio.preflight.image_fingerprints import Pictures, upright_size
from tests.preflight.conftest import drawing, saved


def bars(heights: tuple[int, ...], colour: str = "blue") -> Image.Image:
    image = Image.new("RGB", (200, 150), "white")
    draw = ImageDraw.Draw(image)
    for place, height in enumerate(heights):
        draw.rectangle((20 + 50 * place, 140 - height, 50 + 50 * place, 140), fill=colour)
    return image


def alike(store, *contents: bytes) -> dict[int, int]:
    pictures = Pictures(store)
    for content in contents:
        pictures.add(store.add(content))
    return pictures.alike()


def test_saved_and_scaled_differently_is_alike(store):
    image = drawing(1, (400, 300))
    half = image.resize((200, 150), Image.Resampling.LANCZOS)
    contents = [saved(image), saved(image, "JPEG", quality=60), saved(drawing(2)), saved(half)]
    assert alike(store, *contents) == {1: 0, 3: 0}


def test_charts_with_other_bars_or_colours_are_not_alike(store):
    charts = [bars((40, 80, 120)), bars((40, 90, 120)), bars((40, 80, 120), "red")]
    assert alike(store, *map(saved, charts)) == {}


def test_many_pictures_are_compared_across_blocks(store, monkeypatch):
    monkeypatch.setattr("studio.preflight.image_fingerprints.BLOCK", 4)
    pictures = [saved(drawing(seed)) for seed in range(10)]
    assert alike(store, *pictures, saved(drawing(3), "JPEG", quality=80)) == {10: 3}


def test_no_pictures_are_not_alike(store):
    assert alike(store) == {}


def test_size_is_of_the_upright_image(store, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    path.write_bytes(saved(Image.new("RGB", (40, 20)), "JPEG", exif=exif))
    assert upright_size(path) == (20, 40)
    assert store.open(store.add(path.read_bytes())).size == (20, 40)


def test_the_same_image_is_one_picture(store):
    pictures = Pictures(store)
    sha = store.add(saved(drawing(1)))
    assert pictures.add(sha) == pictures.add(sha) == 0
    assert pictures.sizes == [(160, 120)]


def test_a_missing_or_damaged_image_is_refused_with_the_reason(store, tmp_path):
    pictures = Pictures(store)
    with pytest.raises(NotFoundError, match="not in this workspace"):
        pictures.add("0" * 64)
    sha = store.add(saved(drawing(1)))
    store.path(sha).write_bytes(b"no image")
    with pytest.raises(DataError, match="damaged image"):
        pictures.add(sha)
    assert len(pictures) == 0
