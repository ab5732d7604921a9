"""From the answers that models wrote to a row to those worth a person's time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

from studio.data.schema import Answer, Row
from studio.evaluation.evaluation import DrawnAnswers
from studio.metrics.style_tells import alike

RULE = "the two that differ most; of two writers, one of each"


@dataclass(frozen=True)
class CandidateRow:
    """One row with what was written to it.

    Attributes:
        row: For the library: the pair to be judged, and what else was written beside it; None
            where nothing was.
        written: Answers that can be read; `repeats` of them say the same as another, and `empty`
            ones are left out.
    """

    row: Row | None
    written: int
    repeats: int = 0
    empty: int = 0

    @property
    def paired(self) -> bool:
        """Whether there are two different answers to choose from."""
        return self.row is not None and len(self.row.candidates) == 2


def candidate_row(
    row: Row, drawn: Mapping[str, DrawnAnswers], decoding: Mapping[str, list[dict[str, Any]]]
) -> CandidateRow:
    """Choose the pair of a row: the two answers that differ most, of two writers one of each.

    Args:
        drawn: By the writer's name.
        decoding: By the writer's name how each of its answers was written.
    """
    different: list[Answer] = []
    written = repeats = empty = 0
    for name, found in drawn.items():
        for answer, how in zip(found.answers, decoding[name], strict=False):
            if not answer.text.strip():
                empty += 1
                continue
            written += 1
            if any(alike(answer.text, other.text) for other in different):
                repeats += 1
                continue
            different.append(Answer(answer.text, name, answer.tokens, how))
    if not different:
        return CandidateRow(None, written, repeats, empty)
    pair = _furthest(different)
    rest = tuple(answer for answer in different if answer not in pair)
    asked = replace(row, completion=None, chosen=None, rejected=None, labels=())
    return CandidateRow(replace(asked, candidates=pair, alone=rest), written, repeats, empty)


def _furthest(answers: list[Answer]) -> tuple[Answer, ...]:
    """The two answers that differ most; the first alone where there is one."""
    if len(answers) < 2:
        return tuple(answers)
    pairs = list(combinations(answers, 2))
    across = [pair for pair in pairs if pair[0].author != pair[1].author]
    return min(across or pairs, key=_closeness)


def _closeness(pair: tuple[Answer, Answer]) -> float:
    first, second = (answer.text.split() for answer in pair)
    return SequenceMatcher(None, first, second, autojunk=False).ratio()
