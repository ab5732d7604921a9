"""Sizes of images, read from their headers."""

from __future__ import annotations

import pytest
from PIL import Image

from studio.core.errors import DataError
from studio.data.image_decoding import EXIF_ORIENTATION, open_image
from studio.data.image_headers import upright_size
from tests.data.conftest import encoded


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_image(tmp_path, orientation):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(Image.new("RGB", (6, 2)), "JPEG", exif=exif))
    assert upright_size(path) == open_image(path).size


def test_no_pixel_is_read_and_what_is_no_image_is_refused(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(encoded(Image.effect_noise((300, 200), 40), "JPEG")[:1000])
    assert upright_size(path) == (300, 200)
    path.write_bytes(b"<svg/>")
    with pytest.raises(DataError, match="damaged image"):
        upright_size(path)
