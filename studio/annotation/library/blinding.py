"""Rows of the library as a lead may see them who will label, too: blind, where pairs wait.

Which answer the source or other people prefer, who wrote it and what else the source says stay
hidden until the pair is done, or until the lead asks to see it; that is in the log.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, select

from studio.annotation.database.tables import Dataset
from studio.annotation.database.team_tables import AuditEntry
from studio.annotation.labeling.showings import Viewer
from studio.annotation.records import EditView, ItemView

REVEALED, VEILED = "revealed", "veiled again"


def revealed(connection: Connection, who: str) -> frozenset[str]:
    """List the datasets that `who` asked to see unblinded and has not hidden again."""
    query = select(AuditEntry.dataset, AuditEntry.action).where(
        AuditEntry.who == who[:200], AuditEntry.action.in_((REVEALED, VEILED))
    )
    latest = {row.dataset: row.action for row in connection.execute(query.order_by(AuditEntry.id))}
    return frozenset(name for name, action in latest.items() if action == REVEALED)


SEEN = (
    select(AuditEntry.id)
    .join(Dataset, Dataset.name == AuditEntry.dataset)
    .where(
        AuditEntry.who == bindparam("who"),
        AuditEntry.action == REVEALED,
        Dataset.id == bindparam("dataset"),
    )
    .limit(1)
)


def has_seen(connection: Connection, who: str, dataset_id: int) -> bool:
    """Return whether `who` was ever shown what the source of a dataset prefers."""
    return connection.execute(SEEN, {"who": who[:200], "dataset": dataset_id}).first() is not None


def veiled(item: ItemView, person: Viewer) -> ItemView:
    """Hide what the pairs of an item must not tell; its answers get an order drawn for `person`.

    Answers and pairs have handles for ids: theirs grow in the order of the source.
    """
    order = sorted(item.candidates, key=lambda answer: person.draw(f"order:{answer.id}"))
    hidden: dict[str, Any] = dict.fromkeys(("first_id", "second_id"), 0)
    hidden |= dict.fromkeys(("source_choice_id", "winner_id"))
    return replace(
        item,
        candidates=tuple(
            replace(
                answer,
                id=person.handle(answer.id),
                author="",
                reference=False,
                tokens=None,
                decoding=None,
            )
            for answer in order
        ),
        pairs=tuple(replace(pair, id=person.handle(pair.id), **hidden) for pair in item.pairs),
        meta={},
        veiled=True,
    )


def veiled_edit(edit: EditView, person: Viewer) -> EditView:
    """Name the answer of an edit by its handle."""
    if edit.candidate_id is None:
        return edit
    return replace(edit, candidate_id=person.handle(edit.candidate_id))
