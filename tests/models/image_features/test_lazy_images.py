"""What an image is known by."""

from studio.core.paths import SAMPLES
from studio.models.image_features.lazy_images import image_ref

IMAGES = sorted((SAMPLES / "sft" / "images").glob("*.png"))


def test_equal_images_have_one_key_wherever_they_are(tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(IMAGES[0].read_bytes())
    assert image_ref(str(copy)).key == image_ref({"path": str(IMAGES[0]), "bytes": None}).key
    before = image_ref(str(copy)).key
    copy.write_bytes(IMAGES[1].read_bytes() + b"\0")
    assert image_ref(str(copy)).key != before


def test_an_image_of_the_workspace_is_known_by_its_name_and_not_read_for_it(tmp_path):
    sha = "ab" * 32
    reference = image_ref({"path": str(tmp_path / f"{sha}.png"), "bytes": None})
    assert (reference.key, reference.source) == (sha, str(tmp_path / f"{sha}.png"))
