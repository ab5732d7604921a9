"""How writers give themselves away: lengths, Markdown, openings. Whoever judges blind then is not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

LONGER = 1.5
"""Ratio of mean lengths from which people tell writers apart at a glance."""
OFTENER = 0.3
"""Difference of shares from which a habit is one writer's."""
OPENING_WORDS = 3
LEAST_ANSWERS = 5
_MARKDOWN = re.compile(r"(^|\n)\s*([-*•]\s|#{1,6}\s|\d+[.)]\s)|\*\*\S|`\S")


def style_tells(answers: Mapping[str, Sequence[str]]) -> list[str]:
    """Say in sentences what tells the answers of one writer from those of others.

    Args:
        answers: By the writer's name.
    """
    told: list[str] = []
    names = [name for name, texts in answers.items() if len(texts) >= LEAST_ANSWERS]
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            told += _between(first, answers[first], second, answers[second])
    return told


def _between(first: str, ones: Sequence[str], second: str, others: Sequence[str]) -> list[str]:
    found = []
    long = [fmean(len(text) for text in texts) for texts in (ones, others)]
    if max(long) >= LONGER * max(min(long), 1):
        longer, shorter = (first, second) if long[0] > long[1] else (second, first)
        found.append(
            f"{longer} writes {max(long) / max(min(long), 1):.1f} times as much as {shorter}"
        )
    marked = [fmean(bool(_MARKDOWN.search(text)) for text in texts) for texts in (ones, others)]
    if abs(marked[0] - marked[1]) >= OFTENER:
        who = first if marked[0] > marked[1] else second
        found.append(
            f"{who} uses Markdown in {max(marked):.0%} of its answers, not {min(marked):.0%}"
        )
    for who, texts, rest in ((first, ones, others), (second, others, ones)):
        opening, share = _opening(texts)
        usual = fmean(_begins(text, opening) for text in rest)
        if opening and share - usual >= OFTENER:
            found.append(f"{who} begins {share:.0%} of its answers with “{opening}”")
    return found


def _opening(texts: Sequence[str]) -> tuple[str, float]:
    """The commonest first words of long enough answers, and the share of answers with them."""
    counts = Counter(
        " ".join(words[:OPENING_WORDS])
        for text in texts
        if len(words := text.casefold().split()) > OPENING_WORDS
    )
    if not counts:
        return "", 0.0
    opening, count = counts.most_common(1)[0]
    return opening, count / len(texts)


def _begins(text: str, opening: str) -> bool:
    return " ".join(text.casefold().split()[:OPENING_WORDS]) == opening
