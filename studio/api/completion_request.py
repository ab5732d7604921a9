"""A question as OpenAI's clients send it (`/v1/chat/completions`), read into what Chat is asked.

What cannot be done is refused by its name: nothing that was sent is left out in silence.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.core.errors import InputError
from studio.core.value_problems import sentence
from studio.data.schema import Message, Part
from studio.inference.sampling import Sampling

MOST_MESSAGES, MOST_IMAGES = 200, 16
LONGEST_TEXT = 200_000  # characters of one text
LONGEST_ANSWER = 256  # tokens, where the question does not say
DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "stop": ([],),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "logit_bias": ({},),
}
"""Settings that are not offered, with the values at which they change nothing."""
UNUSED = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")
"""What concerns whoever keeps the questions; nothing of them is kept here."""


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]
    text: str = Field(max_length=LONGEST_TEXT)


class _Address(BaseModel):
    url: str
    detail: str = "auto"


class _Image(BaseModel):
    model_config = ConfigDict(extra="forbid")
    type: Literal["image_url"]
    image_url: _Address


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Text | _Image]
    name: str | None = None


class _StreamOptions(BaseModel):
    include_usage: bool = False
    include_obfuscation: bool = False


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str = Field(max_length=500)
    messages: list[_Turn] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=4096)
    max_completion_tokens: int | None = Field(None, ge=1, le=4096)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1000)
    repetition_penalty: float | None = Field(None, ge=0.5, le=2)
    seed: int | None = Field(None, ge=0, le=2**32 - 1)


@dataclass(frozen=True)
class CompletionRequest:
    """A question.

    Attributes:
        images: Their bytes, in the order of their places in the messages.
        counts_tokens: Whether the end of a stream says how many tokens there were.
    """

    model: str
    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    sampling: Sampling
    stream: bool = False
    counts_tokens: bool = False


def read_completion(content: bytes) -> CompletionRequest:
    """Read the body of a question.

    Raises:
        InputError: It is no JSON, or asks for what is not offered; names the part.
    """
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError("The question is no JSON.", field="body") from error
    if not isinstance(values, dict):
        raise InputError("The question is no JSON object.", field="body")
    for name, neutral in NEUTRAL.items():
        given = values.pop(name, None)
        if given is not None and given not in neutral:
            raise InputError(
                f"{name} is not offered here.", remedy="Leave it out of the question.", field=name
            )
    for name in UNUSED:
        values.pop(name, None)
    try:
        body = _Body.model_validate(values)
    except ValidationError as error:
        raise _problem(error) from None
    images: list[bytes] = []
    messages = tuple(_message(turn, images) for turn in body.messages)
    _ensure_question(messages)
    counts = body.stream_options is not None and body.stream_options.include_usage
    return CompletionRequest(
        body.model, messages, tuple(images), _sampling(body), body.stream, counts
    )


def _sampling(body: _Body) -> Sampling:
    given = {
        "max_new_tokens": body.max_completion_tokens or body.max_tokens or LONGEST_ANSWER,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "repetition_penalty": body.repetition_penalty,
        "seed": body.seed,
    }
    return Sampling.parse({name: value for name, value in given.items() if value is not None})


def _message(turn: _Turn, images: list[bytes]) -> Message:
    role: Any = "system" if turn.role == "developer" else turn.role
    if isinstance(turn.content, str):
        return Message(role, (Part("text", turn.content),))
    parts: list[Part] = []
    for one in turn.content:
        if isinstance(one, _Text):
            parts.append(Part("text", one.text))
            continue
        if role != "user":
            raise InputError("Images stand in questions of the user only.", field="messages")
        if len(images) == MOST_IMAGES:
            raise InputError(
                f"The question has more than {MOST_IMAGES} images.",
                remedy="Leave some out.",
                field="messages",
            )
        images.append(_decoded(one.image_url.url))
        parts.append(Part("image"))
    return Message(role, tuple(parts))


def _decoded(url: str) -> bytes:
    found = DATA_URL.match(url)
    if not found:
        raise InputError(
            "An image is given as a data URL; nothing is fetched from an address.",
            remedy="Write data:image/png;base64,… with the image itself.",
            field="image_url",
        )
    try:
        return base64.b64decode(url[found.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("The data URL of an image is no base64.", field="image_url") from error


def _ensure_question(messages: tuple[Message, ...]) -> None:
    if messages[-1].role != "user":
        raise InputError("The last message must be a question of the user.", field="messages")
    if not any(part.type == "image" or part.text.strip() for part in messages[-1].parts):
        raise InputError("The last message is empty.", field="messages")


def _problem(error: ValidationError) -> InputError:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "body"
    if first["type"] == "extra_forbidden":
        where = ".".join(map(str, first["loc"]))
        return InputError(f"{where[:200]} is not offered here.", remedy="Leave it out.", field=name)
    return InputError(sentence(name, first), field=name)
