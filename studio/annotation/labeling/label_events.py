"""The table of label events: append one, find one by its key, say which of them stands.

What saving and undoing share; neither of them is here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, text, update

from studio.annotation.database.tables import CurrentLabel, Label
from studio.annotation.records import Saved
from studio.core.errors import ConflictError

UNDO = "undo"
"""The kind of an event that takes another one back."""

ADD = insert(Label)
BY_KEY = select(Label.__table__).where(Label.key == bindparam("key"))
VERSION = select(CurrentLabel.version).where(
    CurrentLabel.pair_id == bindparam("pair"), CurrentLabel.annotator_id == bindparam("who")
)
# The same in SQLite and PostgreSQL.
STANDS = text(
    "INSERT INTO current_labels (pair_id, annotator_id, label_id, version) "
    "VALUES (:pair, :who, :label, :version) ON CONFLICT (pair_id, annotator_id) "
    "DO UPDATE SET label_id = excluded.label_id, version = excluded.version"
)
COUNTED = (
    update(CurrentLabel)
    .where(CurrentLabel.pair_id == bindparam("pair"), CurrentLabel.annotator_id == bindparam("who"))
    .values(version=bindparam("counted"))
)


def append(connection: Connection, now: float, **values: Any) -> Saved:
    """Add an event; `values` are columns of `Label`."""
    added = connection.execute(ADD, {"created_at": now, **values})
    (label_id,) = added.inserted_primary_key or (0,)
    return Saved(
        label_id=label_id,
        key=values["key"],
        pair_id=values["pair_id"],
        kind=values["kind"],
        version=values["version"],
    )


def by_key(connection: Connection, key: str) -> Row | None:
    """Find the event with this idempotency key, with all columns of `Label`."""
    return connection.execute(BY_KEY, {"key": key}).first()


def saved_before(row: Row) -> Saved:
    """Repeat what was answered when the event `row` was saved, without feedback."""
    return Saved(row.id, row.key, row.pair_id, row.kind, row.version)


def version_of(connection: Connection, pair: int, who: int) -> int:
    """Count the events of `who` about `pair` so far."""
    return connection.execute(VERSION, {"pair": pair, "who": who}).scalar() or 0


def set_standing(
    connection: Connection, pair: int, who: int, label: int | None, version: int
) -> None:
    """Say which event stands of (pair, annotator); None: no answer does."""
    values = {"pair": pair, "who": who, "label": label, "version": version}
    connection.execute(STANDS, values)


def set_version(connection: Connection, pair: int, who: int, version: int) -> None:
    """Count an event after which the same answer stands as before."""
    connection.execute(COUNTED, {"pair": pair, "who": who, "counted": version})


def key_taken() -> ConflictError:
    """Make the refusal of a key that belongs to something else."""
    return ConflictError(
        "This key already belongs to another answer.", remedy="Reload the page and answer again."
    )
