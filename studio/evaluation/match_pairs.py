"""From the answers of an evaluation to the pairs that people judge."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from studio.data.schema import Answer, Row
from studio.evaluation.evaluation import RowAnswer
from studio.evaluation.evaluation_store import Answered
from studio.evaluation.match import MatchPair
from studio.metrics.same_words import alike
from studio.metrics.style_tells import style_tells

SEEN = "an image that a contestant was trained on"
UNANSWERED = "no answer of a contestant"
BOTH_EMPTY = "both answers empty"


@dataclass(frozen=True)
class MatchRows:
    """What a match is made of.

    Attributes:
        rows: For the library: one for each pair, two answers in an order that says nothing.
        pairs: The same, with who wrote them; `alike` are not to be judged.
        left_out: Pairs that are neither, by the reason.
        tells: What gives contestants away, in sentences.
    """

    rows: tuple[Row, ...]
    pairs: tuple[MatchPair, ...]
    alike: tuple[MatchPair, ...]
    left_out: dict[str, int]
    tells: tuple[str, ...]


def pair_up(
    rows: Sequence[Row],
    answered: Answered,
    contestants: Sequence[str],
    *,
    trained: Mapping[str, frozenset[str]],
    seed: str,
    about: str = "",
) -> MatchRows:
    """Make pairs of two contestants' answers to each row.

    Args:
        answered: By contestant and number of the row.
        trained: By contestant the images (sha256) it was trained on; such rows are left out.
        seed: Draws the order of answers and pairs, so that making it again gives the same.
        about: The contestant that each pair has; empty: every two contestants make one.
    """
    found: list[Row] = []
    pairs: list[MatchPair] = []
    ties: list[MatchPair] = []
    left_out: Counter[str] = Counter()
    names = _distinct([row.external_id for row in rows])
    every = [two for two in combinations(contestants, 2) if not about or about in two]
    for number, row in enumerate(rows):
        draw = random.Random(f"{seed}:{number}")
        order = draw.sample(every, len(every))
        for place, two in enumerate(order):
            answers = [answered.get((name, number)) for name in two]
            reason = _why_not(row, two, answers, trained)
            if reason:
                left_out[reason] += 1
                continue
            texts = [answer.text for answer in answers if answer is not None]
            pair = MatchPair(names[number], two)
            if alike(*texts):
                ties.append(pair)
                continue
            item = names[number] + (f"#{place + 1}" if len(every) > 1 else "")
            written = [Answer(text, name) for text, name in zip(texts, two, strict=True)]
            draw.shuffle(written)
            found.append(_question(row, item, written))
            pairs.append(replace(pair, item=item))
    said = {
        name: [one.text for (who, _), one in answered.items() if who == name and not one.reason]
        for name in contestants
    }
    told = tuple(style_tells(said))
    return MatchRows(tuple(found), tuple(pairs), tuple(ties), dict(left_out), told)


def _why_not(
    row: Row,
    two: tuple[str, str],
    answers: Sequence[RowAnswer | None],
    trained: Mapping[str, frozenset[str]],
) -> str:
    """Why a pair is not to be judged; empty where it is."""
    if any(trained.get(name, frozenset()).intersection(row.images) for name in two):
        return SEEN
    if any(answer is None or answer.reason for answer in answers):
        return UNANSWERED
    if not any(answer is not None and answer.text.strip() for answer in answers):
        return BOTH_EMPTY
    return ""


def _question(row: Row, item: str, answers: Sequence[Answer]) -> Row:
    """The row as people judge it: what is right, and where it is from, would tell."""
    return Row(item, row.images, row.prompt, candidates=tuple(answers))


def _distinct(names: Sequence[str]) -> list[str]:
    """Ids of rows, told apart by a number where two rows have one."""
    times = Counter(names)
    return [f"{name}-{place + 1}" if times[name] > 1 else name for place, name in enumerate(names)]
