"""The audit log: what leads did, together with labels and decisions, which record themselves."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Select, insert, select

from studio.annotation.database.tables import (
    Annotator,
    Dataset,
    ImportBatch,
    Item,
    Label,
    Pair,
    TextEdit,
)
from studio.annotation.database.team_tables import AuditEntry, Decision
from studio.annotation.library.import_staging import BATCH, IMPORTED, STAGING


@dataclass(frozen=True)
class LogLine:
    """One thing that happened, newest first in a listing."""

    at: float
    who: str
    action: str
    dataset: str
    what: str


def note(
    connection: Connection, who: str, action: str, dataset: str, details: dict, now: float
) -> None:
    """Append one entry, in the transaction of what it tells about."""
    values = {"who": who[:200], "action": action, "dataset": dataset[:200], "details": details}
    connection.execute(insert(AuditEntry).values(created_at=now, **values))


def log(
    connection: Connection, who: str = "", dataset: str = "", limit: int = 200
) -> list[LogLine]:
    """List the newest `limit` labels, decisions, edits, imports and leads' actions.

    Args:
        who: Of one person; imports of before they kept a name are left out then.
        dataset: Of one dataset, with what was done to no single one.
    """
    lines = [
        *_labels(connection, who, dataset, limit),
        *_decisions(connection, who, dataset, limit),
        *_entries(connection, who, dataset, limit),
        *_edits(connection, who, dataset, limit),
        *([] if who else _imports(connection, dataset, limit)),
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:limit]


def _labels(connection: Connection, who: str, dataset: str, limit: int) -> list[LogLine]:
    query = (
        select(Label, Annotator.name.label("who"), Dataset.name.label("dataset"))
        .join(Annotator, Annotator.id == Label.annotator_id)
        .join(Pair, Pair.id == Label.pair_id)
        .join(Dataset, Dataset.id == Pair.dataset_id)
    )
    query = _newest(query, Label.id, limit, Annotator.name, who, Dataset.name, dataset)
    lines = []
    for row in connection.execute(query):
        action = "second answer" if row.repeat else row.kind
        action += " (authors seen)" if row.informed else ""
        what = f"pair {row.pair_id}" + (f": {row.reason}" if row.reason else "")
        lines.append(LogLine(row.created_at, row.who, action, row.dataset, what))
    return lines


def _decisions(connection: Connection, who: str, dataset: str, limit: int) -> list[LogLine]:
    query = (
        select(Decision.__table__, Dataset.name.label("dataset"))
        .join(Pair, Pair.id == Decision.pair_id)
        .join(Dataset, Dataset.id == Pair.dataset_id)
    )
    query = _newest(query, Decision.id, limit, Decision.lead, who, Dataset.name, dataset)
    return [
        LogLine(
            row.created_at, row.lead, f"decided: {row.kind}", row.dataset, f"pair {row.pair_id}"
        )
        for row in connection.execute(query)
    ]


def _entries(connection: Connection, who: str, dataset: str, limit: int) -> list[LogLine]:
    query = select(AuditEntry.__table__)
    query = _newest(query, AuditEntry.id, limit, AuditEntry.who, who, AuditEntry.dataset, "")
    if dataset:  # with what was done to no single dataset
        query = query.where(AuditEntry.dataset.in_((dataset, "")))
    lines = []
    for row in connection.execute(query):
        told = {name: value for name, value in row.details.items() if name != BATCH}
        details = ", ".join(f"{name}: {value}" for name, value in told.items())
        lines.append(LogLine(row.created_at, row.who, row.action, row.dataset, details[:300]))
    return lines


def _edits(connection: Connection, who: str, dataset: str, limit: int) -> list[LogLine]:
    query = (
        select(TextEdit.__table__, Item.external_id, Dataset.name.label("dataset"))
        .join(Item, Item.id == TextEdit.item_id)
        .join(Dataset, Dataset.id == Item.dataset_id)
    )
    query = _newest(query, TextEdit.id, limit, TextEdit.editor, who, Dataset.name, dataset)
    lines = []
    for row in connection.execute(query):
        action = "edited a question" if row.candidate_id is None else "edited an answer"
        what = f"row {row.external_id}"
        lines.append(LogLine(row.created_at, row.editor, action, row.dataset, what))
    return lines


def _imports(connection: Connection, dataset: str, limit: int) -> list[LogLine]:
    """Imports that nobody put his name to: those of earlier versions and those that others make."""
    entries = select(AuditEntry.details).where(AuditEntry.action == IMPORTED)
    named = [details.get(BATCH) for details in connection.execute(entries).scalars()]
    query = (
        select(ImportBatch.touched_at, ImportBatch.source, Dataset.name.label("dataset"))
        .join(Dataset, Dataset.id == ImportBatch.dataset_id)
        .where(ImportBatch.state != STAGING, ImportBatch.source != "")
        .where(ImportBatch.id.not_in(named))
    )
    query = _newest(query, ImportBatch.id, limit, Dataset.name, "", Dataset.name, dataset)
    return [
        LogLine(row.touched_at, "", "import", row.dataset, row.source)
        for row in connection.execute(query)
    ]


def _newest(query: Select, number, limit: int, name, who: str, of, dataset: str) -> Select:
    """Narrow a query to the newest rows of a person and a dataset, where these are given."""
    query = query.where(name == who) if who else query
    query = query.where(of == dataset) if dataset else query
    return query.order_by(number.desc()).limit(limit)
