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
    # The distance is at least the difference in length: a long answer need not be compared.
    if abs(len(given) - len(right)) / longest > THRESHOLD:
        return 1 - abs(len(given) - len(right)) / longest
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
    """Count the least insertions, deletions and replacements that turn one text into the other."""
    if len(one) < len(two):
        one, two = two, one
    row = list(range(len(two) + 1))
    for place, letter in enumerate(one, 1):
        before, row[0] = row[0], place
        for column, other in enumerate(two, 1):
            replaced = before + (letter != other)
            before = row[column]
            row[column] = min(before + 1, row[column - 1] + 1, replaced)
    return row[-1]


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
