"""Conversations as strangers write them → messages with bare image places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from studio.core.errors import DataError
from studio.data.record_fields import is_missing, plain
from studio.data.schema import Message, Part, Role

IMAGE_TAG = "<image>"
MAX_TEXT = 100_000
ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
    "developer": "system",
}
TOOL_ROLES = ("tool", "function", "observation", "tool_call", "tool_response", "function_call")
PAIR_KEYS = (
    ("user", "assistant"), ("human", "assistant"), ("human", "gpt"), ("human", "bot"),
    ("question", "answer"), ("query", "response"), ("instruction", "output"),
    ("instruction", "response"), ("q", "a"), ("Q", "A"),
)  # fmt: skip
"""Names of a question and its answer where a turn holds both."""
CONTENT_KEYS = ("content", "value", "text", "parts", "message")
TEXT_TYPES = ("text", "input_text", "output_text")
IMAGE_TYPES = ("image", "image_url", "input_image", "image_path", "image_base64")
IMAGE_KEYS = (
    "image", "image_url", "path", "url", "bytes", "base64", "image_base64", "image_path",
    "file_name", "filename", "data", "value", "source", "inlineData", "inline_data", "fileData",
    "file_data", "fileUri", "file_uri",
)  # fmt: skip
REASONING_TYPES = ("thinking", "reasoning", "think")
WEIGHT = "weight"
SCORED_KEYS = (WEIGHT, "loss_weight", "loss", "train")
"""What OpenAI, LLaMA-Factory, swift and axolotl call it: whether an assistant's turn is learned."""
TURN_KEYS = frozenset(
    {"role", "from", "type", "reasoning_content", "mimeType", "mime_type", "media_type", "detail"}
    | {*CONTENT_KEYS, *IMAGE_KEYS, *SCORED_KEYS, *REASONING_TYPES}
    | {key for pair in PAIR_KEYS for key in pair}
) - {"source"}  # an object around an image; as a text it says where a turn is from
"""Fields of a turn that are read; all others are kept beside the row."""


@dataclass(frozen=True)
class Conversation:
    """Messages, the images written inside them, and what a model thought before it answered."""

    messages: tuple[Message, ...]
    images: tuple[object, ...] = ()
    reasoning: tuple[str, ...] = ()


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
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in value)
    )


def as_turns(value: object) -> list[dict[str, Any]] | None:
    """Read a conversation in any of its forms as turns with a role; None when it is none.

    Besides `role`/`content` and `from`/`value`: a question and its answer in one turn, lists of
    two texts, and columns of roles and contents.
    """
    if is_turns(value):
        return list(value)
    if isinstance(value, dict):
        columns = [(key, value[key]) for key in ("role", "from", *CONTENT_KEYS) if key in value]
        if len(columns) == 2 and all(isinstance(column, list) for _, column in columns):
            (who, roles), (what, contents) = columns
            if len(roles) == len(contents):
                return [{who: r, what: c} for r, c in zip(roles, contents, strict=True)]
        return [value] if "role" in value or "from" in value else None
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if all(is_turns(part) for part in value):
        return [turn for part in value for turn in part]  # a list for each question (arenas)
    turns: list[dict[str, Any]] = []
    for part in value:
        both = _both_sides(part)
        if both is None:
            return None
        turns += [
            {"role": role, "content": text}
            for role, text in zip(("user", "assistant"), both, strict=True)
            if text not in (None, "")
        ]
    return turns


def _both_sides(part: object) -> tuple[object, object] | None:
    """The question and the answer that one turn holds."""
    if isinstance(part, dict):
        for asked, answered in PAIR_KEYS:
            if asked in part and answered in part:
                return part[asked], part[answered]
        return None
    if isinstance(part, (list, tuple)) and len(part) == 2 and isinstance(part[0], str):
        return part[0], part[1]
    return None


def read_conversation(value: object, field: str) -> Conversation:
    """Read turns in any form that `as_turns` knows, or one user text. Raises DataError."""
    if isinstance(value, str):
        if not value.strip():
            raise DataError("the question is empty.", field=field)
        return Conversation((Message("user", (Part("text", check_text(value, field)),)),))
    turns = as_turns(value)
    if turns is None:
        raise DataError(_no_turns(value, field), field=field)
    messages: list[Message] = []
    images: list[object] = []
    thoughts: list[str] = []
    for turn in turns:
        role = _role(turn, field)
        parts, inside, thought = _content(_said(turn, role, field), field)
        scored = role != "assistant" or is_scored(turn, field)
        messages.append(Message(role, tuple(parts), scored))
        images += inside
        thoughts += [*thought, *_texts(turn.get("reasoning_content"))]
    return Conversation(_alternating(messages, field), tuple(images), tuple(thoughts))


def _role(turn: dict[str, Any], field: str) -> Role:
    named = str(turn.get("role", turn.get("from"))).lower()
    if named in TOOL_ROLES or turn.get("tool_calls"):
        raise DataError("turns of tools and calls of tools are not supported.", field=field)
    role = ROLES.get(named)
    if role is None:
        raise DataError(f"turns of the role {named!r} are not supported.", field=field)
    return role


def _said(turn: dict[str, Any], role: Role, field: str) -> object:
    said = next((turn[key] for key in CONTENT_KEYS if turn.get(key) is not None), None)
    if said is None:
        raise DataError(f"a turn of the {role} has no content.", field=field)
    return said


def _no_turns(value: object, field: str) -> str:
    if value in (None, []):
        return "the question is missing."
    if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
        names = ", ".join(repr(str(name)) for name in list(value)[:5])
        return f"{field} holds one text for each of {names}; map the one to use by its path."
    return "no turns."


def _alternating(messages: list[Message], field: str) -> tuple[Message, ...]:
    """Join neighbouring turns of one role: no chat template takes two. Raises DataError."""
    joined: list[Message] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last is not None and last.role == message.role:
            between = (Part("text", "\n\n"),) if last.text and message.text else ()
            parts = _merged((*last.parts, *between, *message.parts))
            joined[-1] = Message(last.role, parts, last.scored and message.scored)
        else:
            joined.append(message)
    spoken = [message.role for message in joined if message.role != "system"]
    if len(spoken) > 1 and spoken[0] == "assistant":
        raise DataError("the conversation begins with an answer, not a question.", field=field)
    return tuple(joined)


def _merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts with neighbouring texts as one."""
    merged: list[Part] = []
    for part in parts:
        if merged and part.type == merged[-1].type == "text":
            merged[-1] = Part("text", merged[-1].text + part.text)
        else:
            merged.append(part)
    return tuple(merged)


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) and value.strip() else []


def is_scored(turn: dict, field: str) -> bool:
    """Return whether an assistant's turn is learned: not with `weight: 0` or `loss: false`.

    Raises:
        DataError: The weight is neither 0 nor 1.
    """
    for key in SCORED_KEYS:
        value = turn.get(key)
        if isinstance(value, bool) or (key in (WEIGHT, "loss_weight") and value in (0, 1)):
            return bool(value)
        if key in (WEIGHT, "loss_weight") and value is not None:
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


ANSWER_KEYS = (
    "text", "answer", "response", "content", "output", "value", "generation", "completion",
    "generated_text", "message",
)  # fmt: skip


def read_answer(value: object, field: str) -> str:
    """Read the text of an answer: a text, a number, an object with one, a turn, or turns.

    Raises:
        DataError: There is none, or it is a list of alternatives (`alternatives` reads those).
    """
    if is_missing(value):
        told = "empty" if isinstance(value, str) and not value.strip() else "missing"
        raise DataError(f"{field} is {told}.", field=field)
    if isinstance(value, dict) and "role" not in value and "from" not in value:
        inside = _answer_in(value)
        if inside is None:  # an answer that is an object: what a receipt says, for example
            return check_text(json.dumps(plain(value), ensure_ascii=False), field)
        return read_answer(inside, field)
    if isinstance(value, dict):
        return read_answer(_plain_text(_content(_said(value, "assistant", field), field)), field)
    if (turns := as_turns(value)) is not None:
        return _last_answer(read_conversation(turns, field), field)
    if isinstance(value, (list, tuple)):
        if len(value) == 1:
            return read_answer(value[0], field)
        raise DataError(f"{field} is a list of {len(value)} values.", field=field)
    return check_text(number_text(value), field)


def number_text(value: object) -> str:
    """Write a value as text; a whole number that a column of floats holds without its `.0`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def alternatives(value: object, field: str) -> list[str]:
    """Read all answers that a value holds, each kept apart; none for a missing value."""
    if is_missing(value):
        return []
    if isinstance(value, dict) and isinstance(_answer_in(value), (list, tuple)):
        value = _answer_in(value)
    if isinstance(value, (list, tuple)) and as_turns(value) is None:
        return [text for part in value for text in alternatives(part, field)]
    return [read_answer(value, field)]


def _answer_in(value: dict[str, Any]) -> object:
    return next((value[key] for key in ANSWER_KEYS if key in value), None)


def _plain_text(content: tuple[list[Part], list[object], list[str]]) -> str:
    return "".join(part.text for part in content[0])


def _content(content: object, field: str) -> tuple[list[Part], list[object], list[str]]:
    """The parts of a turn, the images written into it, and its thoughts."""
    if isinstance(content, (str, int, float)):
        return [Part("text", check_text(number_text(content), field))], [], []
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, (list, tuple)):
        raise DataError("a turn has no content.", field=field)
    parts: list[Part] = []
    images: list[object] = []
    thoughts: list[str] = []
    for piece in content:
        if isinstance(piece, str):
            parts.append(Part("text", check_text(piece, field)))
            continue
        if isinstance(piece, dict):  # Arrow gives all parts of a list the same fields
            piece = {key: value for key, value in piece.items() if value is not None}
        kind = _kind_of(piece, field)
        if kind == "text":
            text = next((piece[key] for key in ("text", "value", "content") if piece.get(key)), "")
            parts.append(Part("text", check_text(str(text), field)))
        elif kind == "image":
            parts.append(Part("image"))
            images += _image_in(piece)
        else:
            thoughts += [t for key in (*REASONING_TYPES, "text") for t in _texts(piece.get(key))]
    return parts, images, thoughts


def _image_in(piece: dict[str, Any]) -> list[object]:
    """The file of an image part, out of the objects that tools put around it."""
    for key in IMAGE_KEYS:
        value = piece.get(key)
        if isinstance(value, dict) and not value.keys() & {"bytes", "path"}:
            return _image_in(value)
        if value is not None:
            return [value]
    return []


def _kind_of(piece: object, field: str) -> str:
    if not isinstance(piece, dict):
        raise DataError("a turn holds something that is neither text nor image.", field=field)
    kind = str(piece.get("type") or _untyped(piece))
    if kind in TEXT_TYPES:
        return "text"
    if kind in IMAGE_TYPES:
        return "image"
    if kind in REASONING_TYPES:
        return "reasoning"
    raise DataError(
        f"a turn holds a part of the type {kind!r}; text and images are read.", field=field
    )


def _untyped(piece: dict[str, Any]) -> str:
    """What a part is that does not say its type: Gemini's and Idefics' parts."""
    if "text" in piece:
        return "text"
    return "image" if any(key in piece for key in IMAGE_KEYS) else "unknown"


def _last_answer(conversation: Conversation, field: str) -> str:
    last = conversation.messages[-1]
    if last.role != "assistant" or any(part.type == "image" for part in last.parts):
        raise DataError(f"{field} does not end with an assistant's text.", field=field)
    return read_answer(last.text, field)
