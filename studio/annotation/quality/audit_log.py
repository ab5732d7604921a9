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
from studio.annotation.library.import_staging import STAGING


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
    """The newest `limit` labels, decisions, edits, imports and leads' actions.

    Args:
        who: Of one person; imports, which keep no name, are left out then.
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
    query = _of(query, Annotator.name, who, Dataset.name, dataset)
    rows = connection.execute(query.order_by(Label.id.desc()).limit(limit))
    return [
        LogLine(
            row.created_at,
            row.who,
            ("second answer" if row.repeat else row.kind)
            + (" (authors seen)" if row.informed else ""),
            row.dataset,
            f"pair {row.pair_id}" + (f": {row.reason}" if row.reason else ""),
        )
        for row in rows
    ]


def _decisions(connection: Connection, who: str, dataset: str, limit: int) -> list[LogLine]:
    query = (
        select(Decision.__table__, Dataset.name.label("dataset"))
        .join(Pair, Pair.id == Decision.pair_id)
        .join(Dataset, Dataset.id == Pair.dataset_id)
    )
    query = _of(query, Decision.lead, who, Dataset.name, dataset)
    rows = connection.execute(query.order_by(Decision.id.desc()).limit(limit))
    return [
        LogLine(
            row.created_at, row.lead, f"decided: {row.kind}", row.dataset, f"pair {row.pair_id}"
        )
        for row in rows
    ]


def _entries(connection: Connection, who: str, dataset: str, limit: int) -> list[LogLine]:
    query = _of(select(AuditEntry.__table__), AuditEntry.who, who, AuditEntry.dataset, "")
    if dataset:
        query = query.where(AuditEntry.dataset.in_((dataset, "")))
    rows = connection.execute(query.order_by(AuditEntry.id.desc()).limit(limit))
    return [
        LogLine(
            row.created_at,
            row.who,
            row.action,
            row.dataset,
            ", ".join(f"{name}: {value}" for name, value in row.details.items())[:300],
        )
        for row in rows
    ]


def _edits(connection: Connection, who: str, dataset: str, limit: int) -> list[LogLine]:
    query = (
        select(TextEdit.__table__, Item.external_id, Dataset.name.label("dataset"))
        .join(Item, Item.id == TextEdit.item_id)
        .join(Dataset, Dataset.id == Item.dataset_id)
    )
    query = _of(query, TextEdit.editor, who, Dataset.name, dataset)
    rows = connection.execute(query.order_by(TextEdit.id.desc()).limit(limit))
    return [
        LogLine(
            row.created_at,
            row.editor,
            "edited a question" if row.candidate_id is None else "edited an answer",
            row.dataset,
            f"row {row.external_id}",
        )
        for row in rows
    ]


def _imports(connection: Connection, dataset: str, limit: int) -> list[LogLine]:
    query = (
        select(ImportBatch.touched_at, ImportBatch.source, Dataset.name.label("dataset"))
        .join(Dataset, Dataset.id == ImportBatch.dataset_id)
        .where(ImportBatch.state != STAGING, ImportBatch.source != "")
    )
    query = _of(query, Dataset.name, "", Dataset.name, dataset)
    rows = connection.execute(query.order_by(ImportBatch.id.desc()).limit(limit))
    return [LogLine(row.touched_at, "", "import", row.dataset, row.source) for row in rows]


def _of(query: Select, name, who: str, of, dataset: str) -> Select:
    query = query.where(name == who) if who else query
    return query.where(of == dataset) if dataset else query
