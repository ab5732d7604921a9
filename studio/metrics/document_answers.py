"""Average normalised Levenshtein similarity, ANLS (Biten et al. 2019, equations 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.schema import Row

THRESHOLD = 0.5


def similarity(prediction: str, answer: str) -> float:
    """Return 1 minus the edit distance over the longer length; case and runs of spaces ignored."""
    given, right = _plain(prediction), _plain(answer)
    longest = max(len(given), len(right))
    if not longest:
        return 1.0
    return 1 - edit_distance(given, right) / longest


def anls_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score the similarity with the closest accepted answer, 0 where it is one half or less.

    So the paper has it, and the package `anls`; scorers that copy DocVQA's script keep exactly ½.
    """
    if not accepted:
        return None
    closest = max(similarity(prediction, answer) for answer in accepted)
    return closest if 1 - closest < THRESHOLD else 0.0


def edit_distance(one: str, two: str) -> int:
    """Count the least insertions, deletions and replacements that turn one text into the other.

    A column of the table is two numbers, a bit for each letter of `one`: where it grows and where
    it shrinks (Myers 1999, in the form of Hyyrö 2003).
    """
    if not one:
        return len(two)
    places: dict[str, int] = {}
    for place, letter in enumerate(one):
        places[letter] = places.get(letter, 0) | 1 << place
    full, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    grows, shrinks, distance = full, 0, len(one)
    for letter in two:
        equal = places.get(letter, 0)
        along = ((equal & grows) + grows ^ grows) | equal
        more, less = shrinks | ~(along | grows), grows & along
        distance += bool(more & last) - bool(less & last)
        more, less = more << 1 | 1, less << 1
        grows, shrinks = (less | ~(equal | shrinks | more)) & full, more & (equal | shrinks) & full
    return distance


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
