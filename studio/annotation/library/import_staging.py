"""Imports that appear all at once or not at all.

Rows are written a chunk at a time, in short transactions between which annotators save. They
carry the id of their batch and are not seen while it is `staging`; publishing changes that one
row. What a killed process left is discarded by the next import.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psutil
from sqlalchemy import Connection, delete, func, insert, select, update

from studio.annotation.database.connection import Database
from studio.annotation.database.search_text import longest, search_text
from studio.annotation.database.tables import Candidate, Dataset, ImportBatch, Item, Pair
from studio.annotation.library import import_rows
from studio.annotation.records import AddReport
from studio.core.errors import BusyError, StudioError
from studio.core.process_identity import process_alive
from studio.data.schema import Row

STALE_SECONDS = 3600.0
_LIVE: set[int] = set()  # batches this process is working on
DISCARDED = 1_000
STAGING, PUBLISHED, DONE = "staging", "published", "done"


def unpublished():
    """Select the ids of the batches that nobody sees yet."""
    return select(ImportBatch.id).where(ImportBatch.state == STAGING).scalar_subquery()


class StagedRows:
    """Rows on their way into one dataset; made by `AnnotationStore.importing`.

    `report` says how many rows are new so far; it is final once the block has ended.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        dataset: str,
        source: str = "",
        split: str = "",
    ) -> None:
        self.dataset = import_rows.check_name(dataset)
        self.report = AddReport()
        self.published = False
        self._database, self._clock = database, clock
        self._waiting: dict[str, Row] = {}
        self._extended: set[int] = set()
        self._choices: list[tuple[int, int, int]] = []
        _sweep(database, clock())
        with database.write() as connection:
            self._target = _begin(connection, self.dataset, source, split, clock())
        _LIVE.add(self._target.batch)

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        report = self.report
        return report.added + report.unchanged + report.extended + len(self._waiting)

    @property
    def number(self) -> int:
        """Id of this batch in `import_batches`."""
        return self._target.batch

    def of_split(self, split: str) -> None:
        """Set the split of the rows that follow."""
        self._flush()
        self._target = replace(self._target, split=split)

    def add(self, row: Row) -> None:
        """Take one row. Raises DataError when the tables cannot hold it."""
        import_rows.check_row(row)
        if row.external_id in self._waiting:
            self._flush()
        self._waiting[row.external_id] = row
        if len(self._waiting) >= import_rows.CHUNK:
            self._flush()

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Take rows, each as `add` does."""
        for row in rows:
            self.add(row)

    def publish(self) -> None:
        """Make all of it seen, in one small transaction."""
        self._flush()
        with self._database.write() as connection:
            _still_mine(connection, self._target.batch)
            for first, second, choice in self._choices:
                connection.execute(
                    update(Pair)
                    .where(Pair.first_id == first, Pair.second_id == second)
                    .values(source_choice_id=choice)
                )
            # The one row by which everything is seen: a kill before this commit leaves nothing.
            _set_batch(connection, self.number, state=PUBLISHED, touched_at=self._clock())
            published = update(Dataset).where(Dataset.id == self._target.dataset_id)
            connection.execute(published.values(staged=False))
        self.published = True
        _finish(self._database, self._target.batch, list(self._extended))
        _LIVE.discard(self._target.batch)

    def discard(self) -> None:
        """Leave nothing behind; what cannot be removed now, the next import removes."""
        self._waiting.clear()
        _LIVE.discard(self._target.batch)
        with suppress(StudioError):
            _discard(self._database, self._target.batch)

    def _flush(self) -> None:
        rows, self._waiting = list(self._waiting.values()), {}
        if not rows:
            return
        with self._database.write() as connection:
            _still_mine(connection, self._target.batch)
            chunk = import_rows.write_chunk(connection, self._target, rows)
            _set_batch(connection, self._target.batch, touched_at=self._clock())
        again = chunk.extended & self._extended
        self._extended |= chunk.extended
        self._choices += chunk.choices
        self.report = replace(
            self.report,
            added=self.report.added + chunk.added,
            unchanged=self.report.unchanged + chunk.unchanged + len(again),
            extended=self.report.extended + len(chunk.extended) - len(again),
        )


def _begin(
    connection: Connection, dataset: str, source: str, split: str, now: float
) -> import_rows.ImportTarget:
    """A new batch. Raises BusyError while another one goes into the same dataset."""
    query = select(Dataset.id, Dataset.overlap).where(Dataset.name == dataset)
    row = connection.execute(query).first()
    if row is None:
        values = {"name": dataset, "overlap": 1, "created_at": now, "staged": True}
        connection.execute(insert(Dataset), values)
        row = connection.execute(query).one()
    busy = select(ImportBatch.id).where(
        ImportBatch.state == STAGING, ImportBatch.dataset_id == row.id
    )
    if connection.execute(busy).first():
        raise BusyError(
            f"Another import into {dataset!r} is going on.",
            remedy="Start this one when it is done, or give the dataset another name.",
        )

    def highest(column) -> int:
        return connection.execute(select(func.max(column))).scalar() or 0

    added = connection.execute(
        insert(ImportBatch).values(
            dataset_id=row.id,
            source=source[:500],
            state=STAGING,
            host=socket.gethostname(),
            pid=os.getpid(),
            pid_started=psutil.Process().create_time(),
            first_item=highest(Item.id),
            first_candidate=highest(Candidate.id),
            first_pair=highest(Pair.id),
            created_at=now,
            touched_at=now,
        )
    )
    (batch,) = added.inserted_primary_key or (0,)
    return import_rows.ImportTarget(row.id, row.overlap, batch, split, now)


def _still_mine(connection: Connection, batch: int) -> None:
    query = select(ImportBatch.state).where(ImportBatch.id == batch)
    if connection.execute(query).scalar() != STAGING:
        raise BusyError(
            "This import stood still for too long and was given up.",
            remedy="Nothing was imported; import again.",
        )


def _set_batch(connection: Connection, batch: int, **values: Any) -> None:
    connection.execute(update(ImportBatch).where(ImportBatch.id == batch).values(**values))


def _finish(database: Database, batch: int, extended: list[int]) -> None:
    """Let search see the new answers of items that were there before."""
    for start in range(0, len(extended), import_rows.CHUNK):
        with database.write() as connection:
            refresh_search(connection, extended[start : start + import_rows.CHUNK])
    with database.write() as connection:
        _set_batch(connection, batch, state=DONE)


def refresh_search(connection: Connection, items: list[int]) -> None:
    """Bring `search` and `length` of items in line with their texts."""
    answers: dict[int, list[str]] = {item: [] for item in items}
    of_items = select(Candidate.item_id, Candidate.text).where(Candidate.item_id.in_(items))
    for row in connection.execute(of_items.order_by(Candidate.id)):
        answers[row.item_id].append(row.text)
    query = select(Item.id, Item.external_id, Item.prompt).where(Item.id.in_(items))
    for row in connection.execute(query).all():
        texts = answers[row.id]
        connection.execute(
            update(Item)
            .where(Item.id == row.id)
            .values(search=search_text(row.external_id, row.prompt, texts), length=longest(texts))
        )


def _sweep(database: Database, now: float) -> None:
    """Discard or finish what processes that are gone have left."""
    with database.read() as connection:
        query = select(ImportBatch.__table__).where(ImportBatch.state.in_((STAGING, PUBLISHED)))
        left = [batch for batch in connection.execute(query) if not _alive(batch, now)]
    for batch in left:
        if batch.state == STAGING:
            _discard(database, batch.id)
        else:
            with database.read() as connection:
                query = select(Candidate.item_id).join(Item, Item.id == Candidate.item_id)
                query = query.where(Candidate.batch == batch.id, Item.batch != batch.id)
                extended = list(connection.execute(query.distinct()).scalars())
            _finish(database, batch.id, extended)


def _alive(batch, now: float) -> bool:
    if batch.host != socket.gethostname():
        return abs(now - batch.touched_at) < STALE_SECONDS  # the clock may have been set back
    if batch.pid == os.getpid():
        return batch.id in _LIVE
    return process_alive(batch.pid, batch.pid_started)


def _discard(database: Database, number: int) -> None:
    """Remove a batch's rows, some at a time, then the batch and a dataset made for it."""
    with database.read() as connection:
        query = select(ImportBatch.__table__).where(ImportBatch.id == number)
        batch = connection.execute(query).one()
    for table, first in (
        (Pair, batch.first_pair),
        (Candidate, batch.first_candidate),
        (Item, batch.first_item),
    ):
        while True:
            with database.write() as connection:
                query = select(table.id).where(table.id > first, table.batch == number)
                ids = list(connection.execute(query.order_by(table.id).limit(DISCARDED)).scalars())
                if not ids:
                    break
                connection.execute(delete(table).where(table.id.in_(ids)))
                first = ids[-1]
    with database.write() as connection:
        connection.execute(delete(ImportBatch).where(ImportBatch.id == number))
        others = select(ImportBatch.id).where(ImportBatch.dataset_id == Dataset.id).exists()
        connection.execute(
            delete(Dataset).where(Dataset.id == batch.dataset_id, Dataset.staged.is_(True), ~others)
        )
