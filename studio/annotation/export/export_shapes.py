"""Other shapes of the same judgements: one best answer per item (SFT), all answers in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.data.schema import Answer, Row

WRITTEN = ("ideal", "edit")


@dataclass(frozen=True)
class Ranking:
    """The answers of one item, best first, with their comparisons won and lost."""

    row: Row
    answers: tuple[Answer, ...]
    wins: tuple[int, ...]
    losses: tuple[int, ...]


def completions(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """Make SFT rows of preferences, and count items whose preferences go in circles.

    What people wrote comes first: every ideal answer, else every edit; else the one chosen
    answer that is never rejected.
    """
    made, circular = [], 0
    for members in _items(rows):
        best = _best(members)
        circular += not best
        for number, (row, answer) in enumerate(best):
            name = _item_name(row)
            made.append(
                replace(
                    row,
                    external_id=name if len(best) == 1 else f"{name}#{number + 1}",
                    completion=answer,
                    chosen=None,
                    rejected=None,
                )
            )
    return made, circular


def rankings(rows: Sequence[Row]) -> list[Ranking]:
    """Rank the answers of each item by comparisons won minus lost; equals by text."""
    return [_ranking(members) for members in _items(rows)]


def _items(rows: Sequence[Row]) -> list[list[Row]]:
    grouped: dict[tuple, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.images, row.prompt, _item_name(row)].append(row)
    return list(grouped.values())


def _item_name(row: Row) -> str:
    return row.external_id.removesuffix(f"#{row.meta.get('pair')}")


def _best(members: Sequence[Row]) -> list[tuple[Row, Answer]]:
    for origin in WRITTEN:
        written = _chosen([row for row in members if row.meta.get("written") == origin])
        if written:
            return list(written.values())
    rejected = {row.preference[1].text for row in members}
    standing = _chosen(members)
    left = [answer for text, answer in standing.items() if text not in rejected]
    return left[:1]


def _chosen(rows: Sequence[Row]) -> dict[str, tuple[Row, Answer]]:
    return {row.preference[0].text: (row, row.preference[0]) for row in rows}


def _ranking(members: Sequence[Row]) -> Ranking:
    wins: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    answers: dict[str, Answer] = {}
    for row in members:
        chosen, rejected = row.preference
        wins[chosen.text] += 1
        losses[rejected.text] += 1
        answers |= {chosen.text: chosen, rejected.text: rejected}
    order = sorted(answers, key=lambda text: (losses[text] - wins[text], text))
    first = replace(members[0], external_id=_item_name(members[0]))
    return Ranking(
        first,
        tuple(answers[text] for text in order),
        tuple(wins[text] for text in order),
        tuple(losses[text] for text in order),
    )
