"""What an image is known by."""

from studio.training.fast_path.image_references import image_ref
from tests.training.fast_pair import IMAGES


def test_equal_images_have_one_key_wherever_they_are(tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(IMAGES[0].read_bytes())
    assert image_ref(str(copy)).key == image_ref({"path": str(IMAGES[0]), "bytes": None}).key
    before = image_ref(str(copy)).key
    copy.write_bytes(IMAGES[1].read_bytes() + b"\0")
    assert image_ref(str(copy)).key != before
