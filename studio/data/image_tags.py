"""Where the images of a conversation stand: the tags of other tools → bare image parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from studio.core.errors import DataError
from studio.data.conversation import IMAGE_TAG
from studio.data.schema import Message, Part

Placed = tuple[tuple[Message, ...], tuple[object, ...]]

TAGS = re.compile(
    r"<img>(?P<name>[^<>]{1,4096})</img>"  # Qwen-VL: with the name of the file
    r"|<\|?image[_ ]?(?P<number>\d{1,3})\|?>"  # Phi-3-vision, MMMU
    r"|<image>"  # LLaVA, LLaMA-Factory, swift
    r"|<\|vision_start\|>(?:<\|image_pad\|>)+<\|vision_end\|>|<\|image_pad\|>"  # Qwen2-VL
    r"|<\|image\|>|<ImageHere>|<start_of_image>|<image_soft_token>|<image-placeholder>|\[IMG\]"
)
"""How models and tools mark the place of an image in a text."""
OTHER_MEDIA = re.compile(r"<(video|audio)>|<\|(video|audio)_pad\|>")
OBJECTS = re.compile(r"<(ref-object|bbox)>")


def tagged(message: Message) -> str:
    """Write a turn as text, each picture as `<image>`."""
    return "".join(IMAGE_TAG if part.type == "image" else part.text for part in message.parts)


def place_images(messages: Sequence[Message], images: Sequence[object]) -> Placed:
    """Give messages a place for each image: their own, those of tags, or in front.

    Returns:
        The messages with bare image parts, and the images in the order of these parts.

    Raises:
        DataError: The places written do not match the images.
    """
    places = sum(part.type == "image" for message in messages for part in message.parts)
    tags = [tag for message in messages if message.role == "user" for tag in _tags(message)]
    if places:
        if places != len(images):
            raise DataError(f"{len(images)} images for {places} image places.", field="image")
        if len(tags) == places and all(tag.lastgroup is None for tag in tags):
            # Both marks for each image: the text's are only what a template would write.
            messages = [_untagged(m) if m.role == "user" else m for m in messages]
        return tuple(messages), tuple(images)
    if not tags:
        return (_in_front(messages, len(images)) if images else tuple(messages)), tuple(images)
    named = [tag["name"] for tag in tags if tag["name"]]
    if named and not images:
        images = list(named)
    chosen = _numbers(tags, len(images))
    left = [number for number in range(len(images)) if number not in chosen]
    placed = tuple(_split_tags(m) if m.role == "user" else m for m in messages)
    ordered = [images[number] for number in chosen]
    if left:
        return _in_front(placed, len(left)), (*(images[number] for number in left), *ordered)
    return placed, tuple(ordered)


def fill_objects(text: str, references: Iterator[str], boxes: Iterator[object]) -> str:
    """Write names and boxes of `objects` where a text has `<ref-object>` and `<bbox>` (swift).

    Raises:
        DataError: There are fewer of them than places.
    """

    def value(match: re.Match[str]) -> str:
        found = next(references if match[1] == "ref-object" else boxes, None)
        if found is None:
            raise DataError(f"{match[0]} stands in a text, with nothing in `objects` for it.")
        return str(found) if isinstance(found, str) else _box(found)

    return OBJECTS.sub(value, text)


def _box(value: object) -> str:
    if not isinstance(value, (list, tuple)):
        raise DataError("a box of `objects` is no list of numbers.", field="objects")
    return f"[{', '.join(str(number) for number in value)}]"


def _tags(message: Message) -> Iterator[re.Match[str]]:
    for part in message.parts:
        if part.type == "text":
            yield from TAGS.finditer(part.text)


def _numbers(tags: Sequence[re.Match[str]], images: int) -> list[int]:
    """The image each tag stands for; those without a number stand for the next one."""
    if any(tag["number"] for tag in tags):
        numbers = [int(tag["number"] or 0) - 1 for tag in tags]
        wrong = next((number for number in numbers if not 0 <= number < images), None)
        if wrong is not None:
            raise DataError(f"the text names image {wrong + 1}; there are {images}.", field="image")
        return numbers
    if len(tags) != images:
        tag = IMAGE_TAG if tags[0]["name"] is None else "<img>"
        raise DataError(f"{images} images for {len(tags)} {tag} tags.", field="image")
    return list(range(images))


def _in_front(messages: Sequence[Message], images: int) -> tuple[Message, ...]:
    first = next((i for i, message in enumerate(messages) if message.role == "user"), None)
    if first is None:
        raise DataError("no user turn to put the image in.", field="question")
    user = messages[first]
    fronted = replace(user, parts=(Part("image"),) * images + user.parts)
    return (*messages[:first], fronted, *messages[first + 1 :])


def _untagged(message: Message) -> Message:
    parts = [
        part if part.type == "image" else Part("text", TAGS.sub("", part.text).lstrip("\n"))
        for part in message.parts
    ]
    return replace(
        message, parts=tuple(part for part in parts if part.type == "image" or part.text)
    )


def _split_tags(message: Message) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        parts += _split(part.text, bool(parts)) if part.type == "text" else [part]
    return replace(message, parts=tuple(parts))


def _split(text: str, begun: bool) -> list[Part]:
    """Parts of a text with tags; the line break that sets a tag apart belongs to the tag."""
    pieces, end = [], 0
    for tag in TAGS.finditer(text):
        pieces.append(text[end : tag.start()])
        end = tag.end()
    pieces.append(text[end:])
    if len(pieces) == 1:
        return [Part("text", text)] if text else []
    if len(pieces) == 2 and not pieces[1]:
        pieces[0] = pieces[0].removesuffix("\n")
    parts = [Part("text", pieces[0])] if pieces[0] else []
    for piece in pieces[1:]:
        piece = piece if begun or any(part.text for part in parts) else piece.removeprefix("\n")
        parts.append(Part("image"))
        parts += [Part("text", piece)] if piece else []
    return parts
