"""How one of several answers to a prompt is drawn. No tensors here: the page reads this too."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

GREEDY = 0.0
LONGEST_ANSWER = 128
"""Tokens of the longest answer that is drawn, where nobody says another number."""


@dataclass(frozen=True)
class Draw:
    """How one answer is written.

    Attributes:
        temperature: 0 takes the likeliest token always.
        top_p: Share of the probability that tokens are drawn from, the likeliest first.
        seed: The same gives the same answer.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


def stream_of(draw: Draw, place: int, prompt: str, images: Sequence[str]) -> int:
    """Return what the random numbers of one answer are made from.

    Args:
        place: Which of the prompt's answers it is.
    """
    name = "\n".join((str(draw.seed), str(place), prompt, *images))
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:16], "big")
