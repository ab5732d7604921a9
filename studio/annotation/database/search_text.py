"""The texts of an item: how prompts are stored, what search looks at."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from studio.data.schema import Message, Part

MAX_SEARCH = 200_000
_ACCENTS = re.compile("[\u0300-\u036f]+")


def prompt_to_json(prompt: Sequence[Message]) -> list[dict]:
    """Turn a prompt into what the `prompt` column of `items` holds."""
    return [
        {
            "role": message.role,
            "parts": [{"type": part.type, "text": part.text} for part in message.parts],
            **({} if message.scored else {"scored": False}),
        }
        for message in prompt
    ]


def prompt_from_json(stored: Sequence[dict]) -> tuple[Message, ...]:
    """Read a prompt that `prompt_to_json` wrote."""
    return tuple(
        Message(
            message["role"],
            tuple(Part(**part) for part in message["parts"]),
            message.get("scored", True),
        )
        for message in stored
    )


def search_text(external_id: str, prompt: Sequence[dict], answers: Iterable[str]) -> str:
    """Join what full-text search looks at: id, prompt and answers, a line each, folded."""
    turns = ("".join(part["text"] for part in message["parts"]) for message in prompt)
    return fold("\n".join([external_id, *turns, *answers])[:MAX_SEARCH])[:MAX_SEARCH]


def fold(text: str) -> str:
    """Fold `text` as search compares it: Überraschung to uberraschung, ﬁ to fi, ß to ss.

    Done here and not by the database, so that SQLite and PostgreSQL find the same. Marks of other
    scripts than Latin, Greek and Cyrillic stay: there they are letters. ASCII stays as it is; both
    databases find it whatever its case.
    """
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart).casefold())


def longest(answers: Iterable[str]) -> int:
    """Count the characters of the longest answer; 0 without any."""
    return max(map(len, answers), default=0)
