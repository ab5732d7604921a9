"""Places of images in texts of other tools."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.data.image_tags import place_images
from studio.data.schema import Message, Part


def placed(text: str, images: list) -> tuple[str, list]:
    messages, ordered = place_images([Message("user", (Part("text", text),))], images)
    parts = messages[0].parts
    return "".join("#" if part.type == "image" else part.text for part in parts), list(ordered)


@pytest.mark.parametrize(
    ("text", "images", "becomes", "order"),
    [
        ("Why?", ["a"], "#Why?", ["a"]),
        ("Why?", [], "Why?", []),
        ("<image>\nWhy?", ["a"], "#Why?", ["a"]),
        ("Why?\n<image>", ["a"], "Why?#", ["a"]),
        ("<|image_2|> or <|image_1|>?", ["a", "b"], "# or #?", ["b", "a"]),
        ("The bar in <image 1> and again <image 1>", ["a"], "The bar in # and again #", ["a", "a"]),
        ("<image 2> alone", ["a", "b"], "## alone", ["a", "b"]),
        ("<|vision_start|><|image_pad|><|image_pad|><|vision_end|>Why?", ["a"], "#Why?", ["a"]),
        ("Picture 1: <img>x/y.png</img>\nWhy?", [], "Picture 1: #\nWhy?", ["x/y.png"]),
        ("<ImageHere>Why?", ["a"], "#Why?", ["a"]),
    ],
)
def test_tags_of_other_tools_become_places(text, images, becomes, order):
    assert placed(text, images) == (becomes, order)


@pytest.mark.parametrize(
    ("text", "images", "reason"),
    [
        ("<image>", [], "0 images for 1"),
        ("<image 3>", ["a"], "image 3; there are 1"),
        ("<|image|><|image|>", ["a"], "1 images for 2"),
    ],
)
def test_places_without_their_image_are_refused(text, images, reason):
    with pytest.raises(DataError, match=reason):
        placed(text, images)


def test_a_part_and_a_tag_for_one_image_are_one_place():
    message = Message("user", (Part("image"), Part("text", "<image>\nWhy?")))
    (placed_message,), images = place_images([message], ["a"])
    assert [part.type for part in placed_message.parts] == ["image", "text"]
    assert placed_message.text == "Why?" and images == ("a",)
