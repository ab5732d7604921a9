"""Finished evaluations whose answers are given, without any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.core.paths import EMBEDDED, Workspace
from studio.data.schema import Answer, Message, Part, Row
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluation import (
    Evaluation,
    EvaluationRequest,
    ModelResult,
    PairedResult,
    RowAnswer,
)
from studio.evaluation.evaluation_store import EvaluationStore, append_answers, finish


def question(number: int, images: Sequence[str] = ()) -> Row:
    """Make one row with a right answer."""
    prompt = (Message("user", (Part("text", f"How many are there in chart {number}?"),)),)
    return Row(f"row-{number}", tuple(images), prompt, completion=Answer(str(number)))


def answered(
    workspace: Workspace,
    answers: Mapping[str, Sequence[str | None]],
    *,
    rows: Sequence[Row] | None = None,
    runs: Mapping[str, str] | None = None,
    step: int | None = None,
    sentences: Mapping[str, Sequence[str]] | None = None,
    ended: bool = True,
) -> Evaluation:
    """Write an evaluation down as its worker leaves it.

    Args:
        answers: By model the answer to each row; None where it could not be had.
        runs: By model the run it is of; `step` is that of their weights.
        sentences: By model what it came to.
    """
    rows = rows or [question(number) for number in range(len(next(iter(answers.values()))))]
    models = tuple(
        EvaluatedModel(name, EMBEDDED, run=run, step=step if run else None)
        for name in answers
        for run in [(runs or {}).get(name, "")]
    )
    request = EvaluationRequest(
        model={"id": EMBEDDED}, models=models, baseline=models[0].name, data="given", split="",
        source="given rows", rows=len(rows), left_out={}, metrics=("exact_match",),
    )  # fmt: skip
    store = EvaluationStore(workspace)
    paths = store.paths(store.create(request, rows))
    for name, texts in answers.items():
        said = {
            number: RowAnswer(reason="too long") if text is None else RowAnswer(text)
            for number, text in enumerate(texts)
        }
        append_answers(paths, "answer", name, said)
    if ended:
        same = PairedResult(0.0, 0.0, 0.0, 1.0, "cannot tell", len(rows), None)
        results = {
            name: ModelResult({}, {"exact_match": same}, sentences=tuple((sentences or {})[name]))
            if name in (sentences or {})
            else ModelResult({})
            for name in answers
        }
        finish(paths, results, {}, "cpu", [])
    return store.get(paths.evaluation_id)
