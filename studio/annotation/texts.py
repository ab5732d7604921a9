"""The texts of an item: how prompts are stored, what search looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from studio.data.schema import Message, Part

MAX_SEARCH = 200_000


def prompt_to_json(prompt: Sequence[Message]) -> list[dict]:
    return [
        {
            "role": message.role,
            "parts": [{"type": part.type, "text": part.text} for part in message.parts],
        }
        for message in prompt
    ]


def prompt_from_json(stored: Sequence[dict]) -> tuple[Message, ...]:
    return tuple(
        Message(message["role"], tuple(Part(**part) for part in message["parts"]))
        for message in stored
    )


def search_text(external_id: str, prompt: Sequence[dict], answers: Iterable[str]) -> str:
    """What full-text search looks at: id, the stored prompt and the answers, a line each."""
    turns = ("".join(part["text"] for part in message["parts"]) for message in prompt)
    return "\n".join([external_id, *turns, *answers])[:MAX_SEARCH]


def longest(answers: Iterable[str]) -> int:
    """Characters of the longest answer; 0 without any."""
    return max(map(len, answers), default=0)
