"""The picture that a model sees of an image."""

from __future__ import annotations

import pytest
from PIL import Image

from studio.config.model import ModelConfig
from studio.models.model_source import load_processor
from studio.preflight.model_view import sight_of

SPLIT = {"longest_edge": 384, "split": True}


@pytest.fixture(scope="module")
def plain():
    return load_processor(ModelConfig())


@pytest.fixture(scope="module")
def tiled():
    return load_processor(ModelConfig(image=SPLIT))


def halves(size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", size, (200, 30, 40))
    image.paste((20, 60, 220), (size[0] // 2, 0, size[0], size[1]))
    return image


def close(pixel: tuple[int, ...], colour: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 2 for a, b in zip(pixel, colour, strict=True))


def test_one_tile_comes_back_as_the_picture_it_was(plain):
    seen = sight_of(plain, halves((300, 200)))
    assert (seen.tiles, seen.width, seen.height, seen.overview) == (1, 96, 96, None)
    assert close(seen.picture.getpixel((10, 50)), (200, 30, 40))
    assert close(seen.picture.getpixel((85, 50)), (20, 60, 220))


def test_tiles_lie_where_they_lay_in_the_image(tiled):
    seen = sight_of(tiled, halves((400, 200)))
    assert (seen.tiles, seen.width, seen.height) == (9, 384, 192)
    assert close(seen.picture.getpixel((10, 150)), (200, 30, 40))
    assert close(seen.picture.getpixel((seen.picture.width - 10, 10)), (20, 60, 220))
    assert seen.overview.size == (96, 96)
    assert close(seen.overview.getpixel((10, 10)), (200, 30, 40))


def test_flat_patches_are_put_together_again():
    from types import SimpleNamespace

    from transformers import Qwen2VLImageProcessor

    processor = SimpleNamespace(image_processor=Qwen2VLImageProcessor())
    image = halves((280, 140))
    image.paste((10, 200, 10), (0, 70, 140, 140))
    seen = sight_of(processor, image)
    assert (seen.tiles, seen.picture.size) == (1, (seen.width, seen.height))
    width, height = seen.picture.size
    assert width == 2 * height
    assert close(seen.picture.getpixel((20, 20)), (200, 30, 40))
    assert close(seen.picture.getpixel((20, height - 20)), (10, 200, 10))
    assert close(seen.picture.getpixel((width - 20, height - 20)), (20, 60, 220))
