"""Other shapes of the same judgements: best answers (SFT), answers in order, single verdicts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.annotation.export.export_contents import is_written
from studio.annotation.records import VOTES, ItemView
from studio.data.schema import VERDICT, Answer, Row

WRITTEN = ("ideal", "edit")
SCORES: dict[object, int] = {"good": 1, "bad": -1}
OF_BOTH = {"both_good": 1, "both_bad": -1}


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


def verdicts(
    rows: Sequence[Row], records: Iterable[Mapping[str, Any]], items: Iterable[ItemView]
) -> tuple[list[Row], Counter[str]]:
    """Make rows of single answers, each `good` or `bad` (KTO).

    The better answer of a preference is good and the other one bad; both are good or bad where
    most people said so; and a verdict that came with a single answer stands.

    Returns:
        Them, and what they change in the counts of what is left out.
    """
    decided = defaultdict(list)
    for row in rows:
        decided[_item_name(row)].append(row)
    kinds: dict[int, Counter[str]] = defaultdict(Counter)
    for record in records:
        kinds[record["pair"]][record["kind"]] += 1
    made, left_out = [], Counter[str]()
    for item in items:
        preferences = decided[item.external_id]
        of_both = _said_of_both(item, kinds, {row.meta["pair"] for row in preferences})
        left_out["tied"] -= len(of_both) // 2
        scores: dict[Answer, int] = defaultdict(int)
        for row in preferences:
            chosen, rejected = row.preference
            scores[chosen] += 1
            scores[rejected] -= 1
        for answer, score in [*of_both, *_given_verdict(item)]:
            scores[answer] += score
        judged = [(answer, score) for answer, score in scores.items() if score]
        left_out["even"] += len(scores) - len(judged)
        made += [
            _verdict(item, answer, score, len(judged), n)
            for n, (answer, score) in enumerate(judged, 1)
        ]
    return made, left_out


def _verdict(item: ItemView, answer: Answer, score: int, of: int, number: int) -> Row:
    name = item.external_id if of == 1 else f"{item.external_id}#{number}"
    meta = {**item.meta, VERDICT: "good" if score > 0 else "bad"}
    return Row(name, item.images, item.prompt, completion=answer, meta=meta)


def _said_of_both(
    item: ItemView, kinds: Mapping[int, Counter[str]], decided: set[object]
) -> list[tuple[Answer, int]]:
    texts = {one.id: one.answer for one in item.candidates}
    found = []
    for pair in item.pairs:
        counted = kinds.get(pair.id, Counter())
        for kind, score in OF_BOTH.items():
            most = 2 * counted[kind] > sum(counted[name] for name in VOTES)
            if most and pair.id not in decided:
                found += [(texts[pair.first_id], score), (texts[pair.second_id], score)]
    return found


def _given_verdict(item: ItemView) -> list[tuple[Answer, int]]:
    score = SCORES.get(item.meta.get(VERDICT))
    given = [one for one in item.candidates if not is_written(one.author)]
    if score is None or len(given) != 1:
        return []
    return [(given[0].answer, score)]


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
