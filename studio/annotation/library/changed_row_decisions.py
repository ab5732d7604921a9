"""What becomes of rows whose id is here: the same, changed and decided, or another row."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from studio.annotation.library import row_differences
from studio.annotation.library.row_differences import (
    ChangedRow,
    Decision,
    Difference,
    KnownItem,
)
from studio.annotation.library.row_updates import RowUpdates
from studio.core.errors import DataError
from studio.data.schema import Row

LONGEST_ID = 500
MOST_OF_ONE_ID = 100
WINDOWS = (range(2, 4), range(4, 16), range(16, MOST_OF_ONE_ID + 1))
"""Numbers of further rows with the same id, in steps: nearly all ids have very few."""


@dataclass
class Settled:
    """Rows as they are to be written.

    Attributes:
        rows: Those to be written, under the ids they have here.
        known: The items that are here, by id.
        changed: Changed rows as they are told, of `changed_count`.
        brought: How many of them are written as further rows.
        updated: Ids of those that are changed here.
        metadata: How many rows are here as they are, with other fields beside them.
        beside: These rows, with the fields that differ.
        renamed: Ids of the source by those that the rows have here instead.
        left_out: Ids of changed rows of which nothing is written.
    """

    rows: list[Row] = field(default_factory=list)
    known: dict[str, KnownItem] = field(default_factory=dict)
    changed: list[ChangedRow] = field(default_factory=list)
    changed_count: int = 0
    brought: int = 0
    updated: set[str] = field(default_factory=set)
    metadata: int = 0
    beside: list[ChangedRow] = field(default_factory=list)
    updates: RowUpdates = field(default_factory=RowUpdates)
    renamed: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)


def settle(
    connection: Connection,
    dataset_id: int,
    batch: int,
    decision: Decision,
    rows: Sequence[Row],
    told: int,
) -> Settled:
    """Compare rows with the items that have their ids, and do with those changed what was decided.

    ask, keep: they are named, and nothing of them is written. update: what replaces something is
    planned, the rest of the row is written. new: they are written under `id~2`.

    Args:
        told: At most so many changed rows are described.

    Raises:
        DataError: One id has too many different rows.
    """
    done = Settled()
    known = row_differences.known_items(connection, dataset_id, [row.external_id for row in rows])
    differing: list[tuple[Row, Difference]] = []
    for row in rows:
        item = known.get(row.external_id)
        if item is None:
            done.rows.append(row)
            continue
        found = _difference(connection, row, item, batch)
        if found.real:
            differing.append((row, found))
        else:
            _same(done, row, item, found, decision)
    if differing:
        given = {row.external_id for row in rows}
        free = _siblings(connection, dataset_id, batch, decision, differing, done, given)
        for row, found in differing:
            if row.external_id in free:
                item = known[row.external_id]
                changed = done.changed_count
                _decide(done, row, item, found, decision, batch, free[row.external_id])
                if changed < min(done.changed_count, told):
                    done.changed.append(
                        replace(
                            row_differences.describe(connection, row, item, found),
                            brought_as=free[row.external_id] if decision == "new" else "",
                        )
                    )
    return done


def _difference(connection: Connection, row: Row, item: KnownItem, batch: int) -> Difference:
    found = row_differences.difference(connection, row, item)
    if item.batch == batch:  # twice in one source: further answers are alternatives
        found = Difference(content=found.content)
    return found


def _same(done: Settled, row: Row, item: KnownItem, found: Difference, decision: Decision) -> None:
    done.rows.append(row)
    done.known[row.external_id] = item
    if found.metadata:
        done.metadata += 1
        done.beside.append(row_differences.describe_metadata(row, item, found))
        if decision == "update":
            done.updates.set_meta(item, found.metadata)


def _siblings(
    connection: Connection,
    dataset_id: int,
    batch: int,
    decision: Decision,
    differing: Sequence[tuple[Row, Difference]],
    done: Settled,
    given: Container[str],
) -> dict[str, str]:
    """Find rows that are here as `id~2` and so on; of the others, the first such id that is free.

    Args:
        given: Ids of rows that are being written, too.
    """
    waiting = {row.external_id: row for row, _ in differing}
    free: dict[str, str] = {}
    for numbers in WINDOWS:
        names = [numbered(name, number) for name in waiting for number in numbers]
        known = row_differences.known_items(connection, dataset_id, names)
        for name, row in list(waiting.items()):
            for other in (numbered(name, number) for number in numbers):
                if other not in known:
                    if other in given:
                        continue
                    free[name] = other
                    del waiting[name]
                    break
                here = replace(row, external_id=other)
                found = _difference(connection, here, known[other], batch)
                if not found.real:
                    done.renamed[name] = other
                    _same(done, here, known[other], found, decision)
                    del waiting[name]
                    break
        if not waiting:
            return free
    name = next(iter(waiting))
    raise DataError(
        f"More than {MOST_OF_ONE_ID} different rows have the id {name[:60]!r}.",
        remedy="Choose another column for the id, or none. Nothing was imported.",
        field="data.columns.id",
    )


def numbered(external_id: str, number: int) -> str:
    """Make the id of another row with the same id: `id~2`."""
    end = f"~{number}"
    return f"{external_id[: LONGEST_ID - len(end)]}{end}"


def _decide(
    done: Settled,
    row: Row,
    item: KnownItem,
    found: Difference,
    decision: Decision,
    batch: int,
    free: str,
) -> None:
    if item.batch == batch:  # two rows of this source, not one that has changed
        done.rows.append(replace(row, external_id=free))
        return
    done.changed_count += 1
    if decision == "new":
        done.brought += 1
        done.renamed[row.external_id] = free
        done.rows.append(replace(row, external_id=free))
    elif decision == "update":
        done.updates.plan(row, item, found)
        done.known[row.external_id] = item
        done.updated.add(row.external_id)
        done.rows.append(row_differences.without_corrected(row, found))
    else:
        done.left_out.add(row.external_id)
