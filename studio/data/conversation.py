"""Conversations as strangers write them → messages with bare image places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from studio.core.errors import DataError
from studio.data.schema import Message, Part, Role

IMAGE_TAG = "<image>"
MAX_TEXT = 100_000
ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
}
IMAGE_KEYS = ("image", "image_url", "path", "url", "bytes")
WEIGHT = "weight"
SCORED_KEYS = (WEIGHT, "loss", "train")
"""What OpenAI, swift and axolotl call it: whether an assistant's turn is learned."""


@dataclass(frozen=True)
class Conversation:
    """Messages, and the images written inside them (TRL's and OpenAI's content parts)."""

    messages: tuple[Message, ...]
    images: tuple[object, ...] = ()


def check_text(text: str, field: str) -> str:
    """Return `text`. Raises DataError for what no store or tokenizer should meet."""
    if len(text) > MAX_TEXT:
        raise DataError(
            f"text of {len(text):,} characters; the limit is {MAX_TEXT:,}.", field=field
        )
    if character := flaw(text):
        raise DataError(f"the text contains {character}.", field=field)
    return text


def flaw(text: str) -> str:
    """Name the character in a text that no store or tokenizer should meet; empty when none."""
    if "\0" in text:
        return "a NUL character"
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return "half a surrogate pair"
    return ""


def is_turns(value: object) -> TypeGuard[list[dict[str, Any]]]:
    """Return whether `value` is a list of turns with a role."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in value)
    )


def read_conversation(value: object, field: str) -> Conversation:
    """Read turns (`role`/`content` or `from`/`value`), or one user text. Raises DataError."""
    if isinstance(value, str):
        if not value.strip():
            raise DataError("the question is empty.", field=field)
        return Conversation((Message("user", (Part("text", check_text(value, field)),)),))
    if isinstance(value, dict):
        value = [value]
    if not is_turns(value):
        raise DataError(
            "the question is missing." if value in (None, []) else "no turns.", field=field
        )
    messages: list[Message] = []
    images: list[object] = []
    for turn in value:
        parts, inside = _content(turn.get("content", turn.get("value")), field)
        role = ROLES.get(named := str(turn.get("role", turn.get("from"))).lower())
        if role is None:
            raise DataError(f"turns of the role {named!r} are not supported.", field=field)
        scored = role != "assistant" or is_scored(turn, field)
        messages.append(Message(role, tuple(parts), scored))
        images += inside
    return Conversation(tuple(messages), tuple(images))


def is_scored(turn: dict, field: str) -> bool:
    """Return whether an assistant's turn is learned: not with `weight: 0` or `loss: false`.

    Raises:
        DataError: The weight is neither 0 nor 1.
    """
    for key in SCORED_KEYS:
        value = turn.get(key)
        if isinstance(value, bool) or (key == WEIGHT and value in (0, 1)):
            return bool(value)
        if key == WEIGHT and value is not None:
            raise DataError(f"a turn has the weight {value!r}; it must be 0 or 1.", field=field)
    return True


def until_scored(
    messages: Sequence[Message], answer: str, scored: bool, field: str
) -> tuple[tuple[Message, ...], str]:
    """Cut a conversation after its last answer that is learned; return both apart.

    Args:
        messages: What comes before `answer`.
        scored: Whether `answer` itself is learned.

    Raises:
        DataError: No answer is.
    """
    if scored:
        return tuple(messages), answer
    for number in range(len(messages) - 1, -1, -1):
        if messages[number].role == "assistant" and messages[number].scored:
            return tuple(messages[:number]), read_answer(messages[number].text, field)
    raise DataError("no answer is to be learned: each has weight 0.", field=field)


def read_answer(value: object, field: str) -> str:
    """Read the text of an answer: a string, a number, a list of them, a turn, or turns."""
    if isinstance(value, (list, dict)) and value:
        if isinstance(value, dict) and "role" not in value and "from" not in value:
            value = next(
                (value[key] for key in ("text", "answer", "content") if key in value), None
            )
            return read_answer(value, field)
        if isinstance(value, dict) or is_turns(value):
            return _last_answer(read_conversation(value, field), field)
        return ", ".join(dict.fromkeys(read_answer(part, field) for part in value))
    if value is None or value in ([], {}):
        raise DataError(f"{field} is missing.", field=field)
    text = check_text(str(value), field)
    if not text.strip():
        raise DataError(f"{field} is empty.", field=field)
    return text


def place_images(messages: Sequence[Message], images: int) -> tuple[Message, ...]:
    """Give messages exactly `images` image places: their own, the `<image>` tags, or in front.

    Raises:
        DataError: When the places written do not match the number of images.
    """
    places = sum(part.type == "image" for message in messages for part in message.parts)
    if places:
        if places != images:
            raise DataError(f"{images} images for {places} image places.", field="image")
        return tuple(messages)
    if not images:
        return tuple(messages)
    tags = sum(message.text.count(IMAGE_TAG) for message in messages if message.role == "user")
    if tags == images:
        return tuple(_split_tags(m) if m.role == "user" else m for m in messages)
    if tags:
        raise DataError(f"{images} images for {tags} {IMAGE_TAG} tags.", field="image")
    first = next((i for i, message in enumerate(messages) if message.role == "user"), None)
    if first is None:
        raise DataError("no user turn to put the image in.", field="question")
    user = messages[first]
    fronted = replace(user, parts=(Part("image"),) * images + user.parts)
    return (*messages[:first], fronted, *messages[first + 1 :])


def _content(content: object, field: str) -> tuple[list[Part], list[object]]:
    if isinstance(content, str):
        return [Part("text", check_text(content, field))], []
    if not isinstance(content, list):
        raise DataError("a turn has no content.", field=field)
    parts, images = [], []
    for piece in content:
        if isinstance(piece, str):
            parts.append(Part("text", check_text(piece, field)))
        elif isinstance(piece, dict) and str(piece.get("type", "text")) == "text":
            parts.append(Part("text", check_text(str(piece.get("text") or ""), field)))
        elif isinstance(piece, dict) and str(piece["type"]) in ("image", "image_url"):
            parts.append(Part("image"))
            images += [piece[key] for key in IMAGE_KEYS if piece.get(key) is not None][:1]
        else:
            raise DataError("a turn holds something that is neither text nor image.", field=field)
    return parts, images


def _last_answer(conversation: Conversation, field: str) -> str:
    last = conversation.messages[-1]
    if last.role != "assistant" or any(part.type == "image" for part in last.parts):
        raise DataError(f"{field} does not end with an assistant's text.", field=field)
    return read_answer(last.text, field)


def _split_tags(message: Message) -> Message:
    text = message.text
    pieces = text.split(IMAGE_TAG)
    pieces[0] = pieces[0].removesuffix("\n") if len(pieces) == 2 and not pieces[1] else pieces[0]
    parts: list[Part] = [Part("text", pieces[0])] if pieces[0] else []
    for piece in pieces[1:]:
        piece = piece.removeprefix("\n") if not any(part.text for part in parts) else piece
        parts.append(Part("image"))
        parts += [Part("text", piece)] if piece else []
    return replace(message, parts=tuple(parts))
