"""What a format has no place for: counted by thing, and said in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from studio.annotation.export.export_contents import (
    Contents,
    ExportFormat,
    source_meta,
)
from studio.annotation.export.tagged_text import is_in_front
from studio.annotation.records import ABSTENTIONS, TIES
from studio.core.plurals import counted
from studio.data.schema import Row

OF_ROWS: dict[str, tuple[str, Callable[[Row], object]]] = {
    "ids": ("names of rows", lambda row: row.external_id),
    "authors": ("authors of answers", lambda row: any(answer.author for answer in _answers(row))),
    "decoding": (
        "how models wrote answers",
        lambda row: any(answer.decoding for answer in _answers(row)),
    ),
    "votes": ("numbers of votes", lambda row: row.meta.get("votes")),
    "labels": ("labels of single people", lambda row: row.meta.get("votes")),
    "meta": ("other columns of the source", source_meta),
    "system": ("system prompts", lambda row: any(turn.role == "system" for turn in row.prompt)),
    "turns": (
        "earlier turns",
        lambda row: sum(turn.role != "system" for turn in row.prompt) > 1,
    ),
    "places": ("places of pictures inside texts", lambda row: not is_in_front(row.prompt)),
    "weights": (
        "marks of answers that are not learned",
        lambda row: any(not turn.scored for turn in row.prompt),
    ),
}
OF_LABELS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "ties": ("ties", lambda said: said["kind"] in TIES),
    "skips": ("skips", lambda said: said["kind"] in ABSTENTIONS),
    "strength": ("strengths of preferences", lambda said: said["strength"]),
    "reason": ("reasons", lambda said: said["reason"]),
    "comment": ("comments", lambda said: said["comment"]),
    "edit": ("edited answers", lambda said: said["edit"]),
    "ideal": ("ideal answers", lambda said: said["ideal"]),
    "aspects": ("aspects", lambda said: said["aspects"]),
    "marks": ("marked pieces", lambda said: said["marks"]),
    "flagged": ("flags", lambda said: said["flagged"]),
    "seconds": ("seconds taken", lambda said: said["seconds"]),
    "at": ("times of answers", lambda said: said["at"]),
    "sides": ("sides of answers on the page", lambda said: said["shown_left"] is not None),
    "guideline": ("versions of the guidelines", lambda said: said["guideline"]),
    "authors_seen": ("who had seen the authors", lambda said: said["authors_seen"]),
}
THINGS = {name: words for name, (words, _) in (OF_ROWS | OF_LABELS).items()}
CONVERSATION = frozenset(("system", "turns", "places"))
ALL_OF_ROWS, ALL_OF_LABELS = frozenset(OF_ROWS) - {"labels"}, frozenset({"labels", *OF_LABELS})


def losses(contents: Contents, held: frozenset[str]) -> dict[str, int]:
    """Count in how many rows there is something that the format does not hold, by THINGS."""
    counts = {
        name: sum(bool(there(row)) for row in contents.rows)
        for name, (_, there) in OF_ROWS.items()
        if name not in held
    }
    if "labels" in held:
        counts |= {
            name: sum(any(map(said, pair.said)) for pair in contents.pairs)
            for name, (_, said) in OF_LABELS.items()
            if name not in held
        }
    return {name: count for name, count in counts.items() if count}


def say_losses(format: ExportFormat, lost: Mapping[str, int]) -> list[str]:
    """Say what was left out for want of a place, one sentence for each number of rows."""
    together: dict[int, list[str]] = defaultdict(list)
    for name, count in lost.items():
        together[count].append(THINGS.get(name, name))
    return [
        f"{format.title} holds no {_or(things)}: left out in {counted(count)}."
        for count, things in together.items()
    ]


def _or(things: list[str]) -> str:
    *first, last = things
    return f"{', '.join(first)} or {last}" if first else last


def _answers(row: Row) -> list:
    given = (row.completion, row.chosen, row.rejected, *row.candidates)
    return [answer for answer in given if answer is not None]
