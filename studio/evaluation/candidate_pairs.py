"""From the answers that models wrote to a row to those worth a person's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal, get_args

from studio.core.errors import InputError
from studio.data.schema import Answer, Row
from studio.evaluation.evaluation import DrawnAnswers
from studio.metrics.document_answers import edit_distance
from studio.metrics.same_words import alike

PairRule = Literal["different", "margin"]
RULES: dict[str, str] = {
    "different": "the two that differ most; of two writers, one of each",
    "margin": "the one that the adapter prefers most, compared with its base, and the one least",
}
NEAR = 0.9
"""Normalised edit similarity from which two answers are near-duplicates, if nothing but small words
differs between them: one number, name or "not" can be the whole difference."""
SMALL_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "is",
        "are",
        "was",
        "were",
        "be",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "there",
        "which",
        "here",
    ]
)


@dataclass(frozen=True)
class CandidateRow:
    """One row with what was written to it.

    Attributes:
        row: For the library: the pair to be judged, and what else was written beside it; None
            where nothing was.
        written: Answers that can be read; `repeats` of them say the same as another one, of these
            or of those that were there, and are left out as `empty` ones are.
    """

    row: Row | None
    written: int
    repeats: int = 0
    empty: int = 0

    @property
    def paired(self) -> bool:
        """Whether there are two different answers to choose from."""
        return self.row is not None and (
            len(self.row.candidates) == 2 or self.row.chosen is not None
        )


def check_rule(rule: str) -> PairRule:
    """Return a rule by its name. Raises InputError."""
    for known in get_args(PairRule):
        if rule == known:
            return known
    raise InputError(
        f"There is no rule {rule[:40]!r} for pairs.",
        remedy=f"Choose {' or '.join(RULES)}.",
        field="rule",
    )


def candidate_row(
    row: Row,
    drawn: Mapping[str, DrawnAnswers],
    decoding: Mapping[str, list[dict[str, Any]]],
    *,
    margins: Mapping[str, float] | None = None,
    known_bad: frozenset[str] = frozenset(),
) -> CandidateRow:
    """Choose the pair of a row from what was written to it.

    Where less than two answers are new, the one that is new is paired with the one, of those that
    were there, that differs from it most.

    Args:
        drawn: By the writer's name.
        decoding: By the writer's name how each of its answers was written.
        margins: How much more the adapter likes a text than its base does; None for the pair that
            differs most.
        known_bad: Writers that did not see the image as it is; the other answer of a pair with one
            of theirs is preferred, where the row has no preference yet.
    """
    there = given_answers(row)
    different: list[Answer] = []
    written = repeats = empty = 0
    for name, found in drawn.items():
        for answer, how in zip(found.answers, decoding[name], strict=False):
            if not answer.text.strip():
                empty += 1
                continue
            written += 1
            if any(near(answer.text, other.text) for other in (*there, *different)):
                repeats += 1
                continue
            different.append(Answer(answer.text, name, answer.tokens, how))
    if not different:
        return CandidateRow(None, written, repeats, empty)
    pair = _pair(different, there, margins)
    rest = tuple(answer for answer in different if answer not in pair)
    made = replace(row, completion=None, chosen=None, rejected=None, candidates=(), labels=())
    bad = [answer for answer in pair if answer.author in known_bad]
    if len(pair) == 2 and len(bad) == 1 and row.chosen is None:
        (good,) = (answer for answer in pair if answer not in bad)
        made = replace(made, chosen=good, rejected=bad[0], alone=rest)
    else:
        made = replace(made, candidates=pair, alone=rest)
    return CandidateRow(made, written, repeats, empty)


def given_answers(row: Row) -> list[Answer]:
    """Return the answers that a row has."""
    known = (row.completion, row.chosen, row.rejected, *row.candidates, *row.alone)
    return [answer for answer in known if answer is not None]


def near(first: str, second: str) -> bool:
    """Return whether two answers are near-duplicates (`NEAR`)."""
    if alike(first, second):
        return True
    one, other = (_counted(text) for text in (first, second))
    apart = (one - other) | (other - one)
    return SMALL_WORDS.issuperset(apart) and similarity(first, second) >= NEAR


def similarity(first: str, second: str) -> float:
    """Return the normalised edit similarity of two answers, 0 to 1, case and blanks aside."""
    one, other = (" ".join(text.casefold().split()) for text in (first, second))
    return 1 - edit_distance(one, other) / max(len(one), len(other), 1)


def _counted(text: str) -> Counter[str]:
    return Counter(word.strip(".,;:!?") for word in text.casefold().split())


def _pair(
    new: Sequence[Answer], there: Sequence[Answer], margins: Mapping[str, float] | None
) -> tuple[Answer, ...]:
    """The two answers to be judged; the one that is new alone where there is no other."""
    if len(new) < 2:
        if not there:
            return tuple(new)
        return min(((new[0], other) for other in there), key=_closeness)
    if margins is not None:
        known = [answer for answer in new if answer.text in margins]
        ordered = sorted(known, key=lambda answer: margins[answer.text])
        if len(ordered) > 1:
            return ordered[-1], ordered[0]
    pairs = list(combinations(new, 2))
    across = [pair for pair in pairs if pair[0].author != pair[1].author]
    return min(across or pairs, key=_closeness)


def _closeness(pair: tuple[Answer, Answer]) -> float:
    return similarity(pair[0].text, pair[1].text)
