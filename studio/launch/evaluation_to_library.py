"""Rows of an evaluation into the library, with what the models answered as candidates."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from studio.annotation import AnnotationStore
from studio.annotation.records import AddReport
from studio.core.errors import InputError
from studio.core.paths import Workspace
from studio.data.schema import ACCEPTED, Answer, Row
from studio.evaluation.evaluated_rows import read_rows
from studio.evaluation.evaluation_store import EvaluationStore, read_answers

SOURCE = "evaluation"


def send_rows(
    workspace: Workspace,
    store: AnnotationStore,
    evaluation_id: str,
    rows: Collection[str],
    dataset: str,
) -> AddReport:
    """Add rows of an evaluation to a dataset; doing it again changes nothing.

    A right answer stays the reference; answers that cannot be had, empty ones and repeats are left
    out.

    Args:
        rows: Ids of the rows.

    Raises:
        InputError: There is no row to send.
        DataError: The dataset cannot be used.
    """
    evaluations = EvaluationStore(workspace)
    evaluation = evaluations.get(evaluation_id)
    paths = evaluations.paths(evaluation)
    answered, _ = read_answers(paths)
    names = [model.name for model in evaluation.request.models]
    found = []
    for number, row in enumerate(read_rows(paths.rows)):
        if row.external_id not in rows:
            continue
        given = [answered.get((name, number)) for name in names]
        texts = {
            answer.text: Answer(answer.text, name)
            for name, answer in zip(names, given, strict=True)
            if answer is not None and not answer.reason and answer.text.strip()
        }
        found.append(_row(row, tuple(texts.values())))
    if not found:
        raise InputError("There is no row to send.", remedy="Loosen the filter or the search.")
    with store.importing(
        dataset, source=f"{SOURCE} {evaluation.evaluation_id}", on_change="keep"
    ) as batch:
        batch.add_rows(found)
    return batch.report


def _row(row: Row, candidates: tuple[Answer, ...]) -> Row:
    meta = {key: value for key, value in row.meta.items() if key != ACCEPTED}
    accepted = row.accepted[1:]
    if accepted:
        meta[ACCEPTED] = list(accepted)
    return replace(row, chosen=None, rejected=None, candidates=candidates, meta=meta, labels=())
