"""What is asked of the inference worker and what comes back; shared by both sides, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.config.model import ModelConfig
from studio.config.setting import Section
from studio.data.schema import Message, Part
from studio.inference.sampling import Sampling

Stopped = Literal["", "end", "length", "cancelled"]


class LoadRequest(Section):
    """Who is to answer.

    Attributes:
        model: The base model.
        run: Run whose adapter answers; empty for the base model itself.
    """

    model: ModelConfig = ModelConfig()
    run: str = ""


class ChatRequest(LoadRequest):
    """A conversation to continue.

    Attributes:
        messages: The conversation up to the last user turn.
        images: sha256 of the workspace images, in the order of the placeholders.
    """

    messages: tuple[Message, ...]
    images: tuple[str, ...] = ()
    sampling: Sampling = Sampling()


class ChangeRequest(ChatRequest):
    """A conversation and an answer to it, of which is asked what the adapter changed.

    Attributes:
        answer: The answer, as it was written.
    """

    answer: str


@dataclass(frozen=True)
class ChatDelta:
    """One step of an answer.

    Attributes:
        text: What the answer grew by.
        stage: What is being waited for, in words, until the first token.
        done: Whether this is the last one; the fields below are set only then.
        tokens: Tokens of the answer, without the stop token.
        tokens_per_second: Those by the seconds from the start of the prompt's forward pass.
        stopped: `end` by the model itself, `length` at the limit, `cancelled` by the user.
    """

    text: str = ""
    stage: str = ""
    done: bool = False
    tokens: int = 0
    tokens_per_second: float = 0.0
    stopped: Stopped = ""


NOT_BEGUN = ChatDelta(done=True, stopped="cancelled")
"""The end of an answer that was stopped before its prompt was read."""


def why_empty(tokens: int, stopped: str) -> str:
    """Return how an answer ended in which nothing can be seen: one sentence.

    Args:
        tokens: Tokens that were written, the stop token left out.
        stopped: As in `ChatDelta`; empty where it is not known.
    """
    if not tokens:
        return "The model ended its answer at once (0 tokens)."
    many = f"{tokens:,} token{'s' * (tokens != 1)}"
    end = {"length": ", up to the longest answer", "end": ", and ended"}.get(stopped, "")
    return f"The model wrote {many} of which nothing can be seen (blanks, special tokens){end}."


def user_turn(text: str, images: int = 0) -> Message:
    """Return a user's message: the places of its images, then its text."""
    return Message("user", (*(Part("image"),) * images, Part("text", text)))


def said(role: Literal["system", "assistant"], text: str) -> Message:
    """Return a message of text only."""
    return Message(role, (Part("text", text),))
