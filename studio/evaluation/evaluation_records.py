"""The rows of an evaluation, each with what every model said and how it scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from studio.core.paths import Workspace
from studio.evaluation.evaluated_rows import read_rows
from studio.evaluation.evaluation import Evaluation, RowRecord
from studio.evaluation.evaluation_request import metrics_of
from studio.evaluation.evaluation_store import EvaluationStore, read_answers
from studio.evaluation.report import row_records


def records_of(evaluation: Evaluation, workspace: Workspace) -> list[RowRecord]:
    """Return the rows in their order, as far as they are answered.

    Raises:
        InputError: The rows cannot be read, or the file of the user's own metric is gone.
    """
    paths = EvaluationStore(workspace).paths(evaluation)
    request = evaluation.request
    return row_records(request, metrics_of(request), read_rows(paths.rows), *read_answers(paths))


def records_json(evaluation: Evaluation, workspace: Workspace) -> list[dict[str, Any]]:
    """Return the rows as plain values."""
    return [asdict(record) for record in records_of(evaluation, workspace)]
