"""Downloads of an evaluation: its rows as a table, or everything as JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from studio.api.access.host_names import check_host
from studio.api.access.request_checks import StudioRoute
from studio.api.context import StudioContext
from studio.core.spreadsheet import neutral
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_records import records_json, records_of
from studio.evaluation.evaluation_store import EvaluationStore

NOSNIFF = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}


def router(context: StudioContext) -> APIRouter:
    """Build the routes, for leads only."""
    guards = [] if context.accounts else [Depends(check_host)]
    routes = APIRouter(prefix="/studio/evaluations", route_class=StudioRoute, dependencies=guards)

    def found(evaluation_id: str, request: Request) -> Evaluation:
        context.user(request)
        if not context.is_lead(request):
            raise HTTPException(403, "Only leads see evaluations.")
        return EvaluationStore(context.workspace).get(evaluation_id)

    @routes.get("/{evaluation_id}/rows.csv")
    def rows(evaluation_id: str, request: Request) -> Response:
        evaluation = found(evaluation_id, request)
        return _download(_table(evaluation, context), "text/csv", evaluation, "csv")

    @routes.get("/{evaluation_id}/result.json")
    def result(evaluation_id: str, request: Request, rows: bool = False) -> Response:
        evaluation = found(evaluation_id, request)
        values: dict[str, Any] = evaluation.to_json()
        if rows:
            values["records"] = records_json(evaluation, context.workspace)
        text = json.dumps(values, ensure_ascii=False, indent=1)
        return _download(text, "application/json", evaluation, "json")

    return routes


def _table(evaluation: Evaluation, context: StudioContext) -> str:
    """One line a row: question, right answers, and of every model its answer and scores."""
    records = records_of(evaluation, context.workspace)
    target = io.StringIO()
    writer = csv.writer(target)
    names = [model.name for model in evaluation.request.models]
    heads = [
        f"{name}: {part}" for name in names for part in ("answer", *evaluation.request.metrics)
    ]
    writer.writerow([neutral(cell) for cell in ("row", "question", "right", "images", *heads)])
    for record in records:
        cells: list[Any] = [
            record.row,
            record.question,
            " / ".join(record.accepted),
            " ".join(record.images),
        ]
        for name in names:
            answer, scores = record.answers[name], record.scores[name]
            cells.append(answer.text or (f"(not answered: {answer.reason})" * bool(answer.reason)))
            cells += [scores.get(metric) for metric in evaluation.request.metrics]
        writer.writerow([neutral(cell) if isinstance(cell, str) else cell for cell in cells])
    return target.getvalue()


def _download(text: str, media_type: str, evaluation: Evaluation, ending: str) -> Response:
    name = f'attachment; filename="evaluation-{evaluation.evaluation_id}.{ending}"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store", **NOSNIFF}
    return Response(text, media_type=media_type, headers=headers)
