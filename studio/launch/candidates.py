"""Candidates: answers that models write to rows, into the library as they come, to be judged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from studio.annotation import AnnotationStore
from studio.annotation.library.preflight_rows import library_rows
from studio.annotation.library.trainable_rows import parse_library
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.data.schema import Row
from studio.data.sources.registry import LIBRARY
from studio.evaluation.candidate_pairs import candidate_row
from studio.evaluation.evaluated_rows import RowChoice, choose_rows, chosen, read_rows
from studio.evaluation.evaluation import DrawnAnswers, Evaluation
from studio.evaluation.evaluation_request import Wanted, prepare_request
from studio.evaluation.evaluation_store import EvaluationStore
from studio.models.answering.draw import GREEDY, Draw

MOST_ANSWERS = 32
HOTTEST = 5.0


def draws_of(
    count: int, *, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0, greedy: bool = False
) -> tuple[Draw, ...]:
    """Return how `count` answers to each row are drawn.

    Args:
        greedy: Let the first be the likeliest answer.

    Raises:
        InputError: A number is out of bounds; `field` names it.
    """
    if not 1 <= count <= MOST_ANSWERS:
        raise InputError(
            f"{count} answers a row: 1 to {MOST_ANSWERS} can be written.",
            remedy="Change it.",
            field="answers",
        )
    if not GREEDY <= temperature <= HOTTEST:
        raise InputError(
            f"The temperature is {temperature:g}; it can be from 0 to {HOTTEST:g}.",
            remedy="Around 1 is usual; 0 writes the same answer every time.",
            field="temperature",
        )
    if not 0 < top_p <= 1:
        raise InputError(
            f"Top-p is {top_p:g}; it is a share above 0, at most 1.",
            remedy="1 draws from all tokens.",
            field="top_p",
        )
    if temperature == GREEDY and count > 1:
        raise InputError(
            "At temperature 0 all answers are the same.",
            remedy="Raise it, or ask for one answer.",
            field="temperature",
        )
    first = Draw(GREEDY, 1.0, seed) if greedy else Draw(temperature, top_p, seed)
    return (first, *[Draw(temperature, top_p, seed)] * (count - 1))


def create_candidates(
    workspace: Workspace,
    wanted: Wanted,
    *,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    unanswered: bool = False,
    store: AnnotationStore | None = None,
) -> Evaluation:
    """Write down which answers are to be written; nothing is computed.

    Rows of a dataset of the library get their answers there; others make a dataset.

    Args:
        unanswered: Only rows of the library that have no answer yet.

    Raises:
        InputError: Something is unknown, or there is no such row.
    """
    found, dataset = _rows(workspace, wanted, columns, limit, unanswered, store)
    to = wanted.dataset.strip() or dataset
    request, rows = prepare_request(replace(wanted, dataset=to), found, workspace)
    return EvaluationStore(workspace).create(request, rows)


def _rows(
    workspace: Workspace,
    wanted: Wanted,
    columns: Mapping[str, str] | None,
    limit: int | None,
    unanswered: bool,
    store: AnnotationStore | None,
) -> tuple[RowChoice, str]:
    """The rows, and the dataset they belong to."""
    spec = wanted.data.strip()
    if not spec.startswith(LIBRARY):
        split = wanted.split or None
        rows = choose_rows(spec, workspace, split=split, columns=columns, limit=limit)
        return rows, f"candidates {time.strftime('%Y%m%d-%H%M%S')}"
    where = parse_library(spec)
    dataset = where.dataset or ""
    opened = store or AnnotationStore(workspace.database_url)
    try:
        entries = (entry.row for entry in library_rows(opened, dataset, where).entries())
        rows = (row for row in entries if not (unanswered and _is_answered(row)))
        taken = list(islice(rows, limit))
    finally:
        if store is None:
            opened.close()
    if not taken:
        raise InputError(
            f"Every row of {dataset} has an answer already.",
            remedy="Let answers be written to all rows.",
            field="data",
        )
    return chosen(spec, taken, limit), dataset


def _is_answered(row: Row) -> bool:
    return bool(row.completion or row.chosen or row.candidates)


@dataclass
class Delivery:
    """Brings drawn answers into the library, each once, however often it is called.

    Attributes:
        counts: `rows`, `pairs`, `answers`, and what was left out: `repeats`, `empty`, `failed`.
    """

    workspace: Workspace
    evaluation: Evaluation
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        store = EvaluationStore(self.workspace)
        self._rows = read_rows(store.paths(self.evaluation).rows)
        request = self.evaluation.request
        self._decoding = {
            model.name: [
                {
                    "model": model.model,
                    "run": model.run,
                    "step": model.step,
                    "temperature": draw.temperature,
                    "top_p": draw.top_p,
                    "seed": draw.seed,
                    "place": place,
                    "evaluation": self.evaluation.evaluation_id,
                    "at": round(time.time()),
                }
                for place, draw in enumerate(request.draws)
            ]
            for model in request.models
        }

    def __call__(self, found: Mapping[str, Mapping[int, DrawnAnswers]]) -> None:
        """Add rows with their answers to the dataset; all of them are on the disk afterwards.

        Raises:
            DataError: The database takes no more.
        """
        rows = []
        numbers = sorted({number for batch in found.values() for number in batch})
        for number in numbers:
            drawn = {name: batch[number] for name, batch in found.items() if number in batch}
            made = candidate_row(self._rows[number], drawn, self._decoding)
            self._count(made.written, made.repeats, made.empty, made.paired)
            self.counts["failed"] += any(one.reason for one in drawn.values())
            if made.row is not None:
                rows.append(made.row)
        if not rows:
            return
        source = f"candidates {self.evaluation.evaluation_id}"
        dataset = self.evaluation.request.dataset
        with (
            closing(AnnotationStore(self.workspace.database_url)) as store,
            store.importing(dataset, source=source, on_change="keep") as batch,
        ):
            batch.add_rows(rows)
        self.counts["changed"] += batch.report.changed

    def _count(self, written: int, repeats: int, empty: int, paired: bool) -> None:
        found = {"rows": 1, "answers": written, "repeats": repeats, "empty": empty, "pairs": paired}
        self.counts.update(found)


def delivery_of(workspace: Workspace, evaluation_id: str) -> Callable[..., Any] | None:
    """Return what brings an evaluation's answers into the library; None where none are drawn."""
    evaluation = EvaluationStore(workspace).get(evaluation_id)
    return Delivery(workspace, evaluation) if evaluation.request.draws else None
