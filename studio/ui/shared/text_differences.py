"""Word-level differences of two texts, as inert HTML."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

MAX_WORDS = 3_000
_WORD = re.compile(r"\S+\s*|\s+")


def safe(text: object) -> str:
    """Text from outside as inert HTML; neither markup nor a template reads anything into it."""
    return escape(str(text)).replace("{", "&#123;").replace("$", "&#36;")


def differences(one: str, two: str) -> tuple[str, str]:
    """Both texts with the words that only they have inside `<mark>`.

    Texts of more than `MAX_WORDS` words together, or with nothing in common, come unmarked.
    """
    left, right = _WORD.findall(one), _WORD.findall(two)
    plain = safe(one), safe(two)
    if len(left) + len(right) > MAX_WORDS or not (one.strip() and two.strip()):
        return plain
    words = [word.strip() for word in left], [word.strip() for word in right]
    blocks = SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    if all(kind != "equal" for kind, *_ in blocks):
        return plain
    sides = ["", ""]
    for kind, start, stop, other_start, other_stop in blocks:
        for side, piece in enumerate((left[start:stop], right[other_start:other_stop])):
            sides[side] += _marked(piece, kind != "equal")
    return sides[0], sides[1]


def _marked(words: list[str], different: bool) -> str:
    text = "".join(words)
    if not different or not text.strip():
        return safe(text)
    body = text.rstrip()
    return f"<mark>{safe(body)}</mark>{safe(text[len(body) :])}"
