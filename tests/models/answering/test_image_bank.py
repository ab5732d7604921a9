"""Features of images in memory and on disk."""

import pytest

from studio.core.errors import DataError
from studio.models.answering import image_bank
from studio.models.answering.image_bank import ImageBank, open_bank
from studio.models.image_features.lazy_images import ImageRef

GIB = 1 << 30


@pytest.fixture
def images(store, charts) -> list[ImageRef]:
    return [ImageRef(sha, str(store.path(sha))) for sha in charts]


def test_features_that_are_not_in_use_leave_when_they_take_too_much(plain, images, monkeypatch):
    bank = ImageBank(plain)
    bank.hold(images[:3])
    bank.hold(images[3:])
    assert len(bank.features) == 4 and bank.encoded == 4
    monkeypatch.setattr(image_bank, "HELD_BYTES", 0)
    bank.hold(images[1:2])
    assert list(bank.features) == [images[1].key]
    bank.hold(images[:1])
    assert bank.encoded == 5


def test_what_an_adapter_changes_in_the_vision_tower_is_kept_apart(plain, images, tmp_path):
    names = {open_bank(plain, tmp_path, GIB, which).cache.folder for which in ("", "a", "b", "a")}
    assert len(names) == 3
    first = open_bank(plain, tmp_path, GIB)
    first.hold(images)
    again = open_bank(plain, tmp_path, GIB)
    again.hold(images)
    assert again.encoded == 0 and again.expansions == first.expansions
    assert all(again.features[i.key].equal(first.features[i.key]) for i in images)


def test_an_image_that_cannot_be_opened_has_a_reason_and_is_tried_once(plain, images, tmp_path):
    file = tmp_path / "broken.png"
    file.write_bytes(b"\x89PNG")
    broken = ImageRef("b" * 64, str(file))
    bank = ImageBank(plain)
    bank.hold([broken, images[0]])
    assert list(bank.features) == [images[0].key]
    bank.refuse(images[:1])
    with pytest.raises(DataError):
        bank.refuse([broken])
