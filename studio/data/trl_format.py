"""TRL's own columns: `images` with `prompt`/`completion` or `prompt`/`chosen`/`rejected`.

In Arrow every content part has a `type` and a `text`, because Arrow gives all structs of a list
the same fields; `bare` takes the empty ones away again, so that a chat template sees
`{"type": "image"}` and nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from studio.data.image_decoding import open_image
from studio.data.schema import Answer, Message, Part, Row

if TYPE_CHECKING:
    from datasets import Features

Method = Literal["sft", "dpo"]
ANSWERS = {"sft": ("completion",), "dpo": ("chosen", "rejected")}
SCORED = "scored"
"""Column of a training dataset: places in the prompt of earlier answers that are scored too."""


def features(
    method: Method, *, decode: bool = False, scored: bool = False, weights: bool = False
) -> Features:
    """Describe the Arrow types of a training dataset; images stay encoded (bytes or a path).

    Args:
        decode: Let `datasets` decode the images on access: for files meant for others.
        scored: With the column that says which earlier answers are scored.
        weights: Turns of prompts have a weight.
    """
    from datasets import Features, Image, List, Value

    part = {"type": Value("string"), "text": Value("string")}
    turn = {"role": Value("string"), "content": List(part)}
    weighted = {**turn, "weight": Value("int64")} if weights else turn
    columns = {name: List(turn) for name in ANSWERS[method]}
    more = {SCORED: List(Value("int64"))} if scored else {}
    return Features(
        {"images": List(Image(decode=decode)), "prompt": List(weighted), **columns, **more}
    )


def prompt_messages(row: Row, system_prompt: str | None = None) -> list[dict[str, Any]]:
    """Turn a prompt into TRL's; `system_prompt` goes in front unless the row has its own."""
    messages = row.prompt
    if system_prompt and messages[0].role != "system":
        messages = (Message("system", (Part("text", system_prompt),)), *messages)
    return [
        {
            "role": message.role,
            "content": [
                {"type": part.type, "text": part.text if part.type == "text" else None}
                for part in message.parts
            ],
        }
        for message in messages
    ]


def system_in_question(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the system text in front of the first question, two line breaks between.

    For chat templates that take no system turn; what Gemma's own template does with one.
    """
    if not messages or messages[0]["role"] != "system":
        return list(messages)
    system, *rest = messages
    text = "".join(part["text"] for part in system["content"] if part["type"] == "text")
    first = next((place for place, turn in enumerate(rest) if turn["role"] == "user"), None)
    if first is None:
        return list(messages)
    content = [{"type": "text", "text": f"{text}\n\n"}, *rest[first]["content"]]
    return [*rest[:first], {**rest[first], "content": content}, *rest[first + 1 :]]


def answer_messages(answer: Answer) -> list[dict[str, Any]]:
    """Make one assistant turn."""
    return [{"role": "assistant", "content": [{"type": "text", "text": answer.text}]}]


def trl_columns(batch: dict[str, list]) -> dict[str, list]:
    """Prepare a batch for trainers: decoded RGB images, bare parts (for `with_transform`)."""
    return {name: [_cell(name, value) for value in values] for name, values in batch.items()}


def _cell(name: str, value: Any) -> Any:
    if name == SCORED:
        return value
    if name == "images":
        return [open_image(image["bytes"] or image["path"]) for image in value]
    return bare(value)


def bare(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reduce the image parts of messages to exactly `{"type": "image"}`."""
    return [
        {
            "role": message["role"],
            "content": [
                {"type": "image"}
                if part["type"] == "image"
                else {"type": "text", "text": part["text"]}
                for part in message["content"]
            ],
        }
        for message in messages
    ]
