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
from pathlib import PurePath
from typing import Any

import psutil
from sqlalchemy import Connection, delete, func, insert, select, update

from studio.annotation.database.connection import Database
from studio.annotation.database.search_text import longest, search_text
from studio.annotation.database.tables import (
    Candidate,
    Dataset,
    ImportBatch,
    Item,
    Pair,
    TextEdit,
)
from studio.annotation.database.team_tables import AuditEntry
from studio.annotation.library import import_rows, row_updates
from studio.annotation.library.row_differences import ChangedRow, Decision
from studio.annotation.library.row_updates import Publication, RowUpdates
from studio.annotation.records import AddReport
from studio.core.errors import BusyError, StudioError
from studio.core.process_identity import process_alive
from studio.data.schema import Row

STALE_SECONDS = 3600.0
_LIVE: set[int] = set()  # batches this process is working on
DISCARDED = 1_000
NAMED_CHANGES = import_rows.TOLD
IMPORTED, BATCH = "import", "number"
"""Of an entry in the log: its action, and the detail that names the import."""
STAGING, PUBLISHED, DONE = "staging", "published", "done"


def unpublished():
    """Select the ids of the batches that nobody sees yet."""
    return select(ImportBatch.id).where(ImportBatch.state == STAGING).scalar_subquery()


class StagedRows:
    """Rows on their way into one dataset; made by `AnnotationStore.importing`.

    `report` says how many rows are new so far; it is final once the block has ended.

    Attributes:
        changed: The first `NAMED_CHANGES` rows that are there with another content.
        beside: The first rows that are there as they are, with other fields beside them.
        renamed: Ids that rows had in the source, with those they have here.
        left_out: Ids of changed rows of which nothing was brought in.
        judged: How many rows were changed that people had been given to label.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        dataset: str,
        source: str = "",
        split: str = "",
        on_change: Decision = "ask",
        reading: dict[str, Any] | None = None,
        by: str = "",
    ) -> None:
        self.dataset = import_rows.check_name(dataset)
        self.report = AddReport()
        self.published = False
        self._database, self._clock = database, clock
        self._waiting: list[Row] = []
        self._extended: set[int] = set()
        self._updates = RowUpdates()
        self._by, self._source = by, source[:500]
        whose = f" by {by}" if by else ""
        self._editor = f"import {_short(source)}".strip()[: 200 - len(whose)] + whose
        self._reading = reading
        self.changed: list[ChangedRow] = []
        self.beside: list[ChangedRow] = []
        self.renamed: dict[str, str] = {}
        self.left_out: set[str] = set()
        self.judged = 0
        _sweep(database, clock())
        with database.write() as connection:
            target = _begin(connection, self.dataset, source, split, clock())
        self._target = replace(target, on_change=on_change)
        _LIVE.add(self._target.batch)

    @property
    def rows(self) -> int:
        """Rows taken so far."""
        report = self.report
        known = report.unchanged + report.extended + report.changed
        return report.added + known + len(self._waiting)

    @property
    def number(self) -> int:
        """Id of this batch in `import_batches`."""
        return self._target.batch

    @property
    def split(self) -> str:
        """The split of the rows that follow."""
        return self._target.split

    def of_split(self, split: str) -> None:
        """Set the split of the rows that follow."""
        self._flush()
        self._target = replace(self._target, split=split)

    def add(self, row: Row) -> None:
        """Take one row. Raises DataError when the tables cannot hold it."""
        import_rows.check_row(row)
        self._waiting.append(row)
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
            to = Publication(
                self._target.dataset_id,
                self._target.overlap,
                self._target.batch,
                self._editor,
                self._clock(),
            )
            self.judged = row_updates.apply(connection, self._updates, to)
            if self._by:
                connection.execute(insert(AuditEntry).values(**self._entry()))
            # The one row by which everything is seen: a kill before this commit leaves nothing.
            _set_batch(connection, self.number, state=PUBLISHED, touched_at=self._clock())
            published = update(Dataset).where(Dataset.id == self._target.dataset_id)
            connection.execute(published.values(staged=False, **self._kept_reading()))
        self.published = True
        items = self._extended | self._updates.items
        _finish(self._database, self._target.batch, sorted(items))
        _LIVE.discard(self._target.batch)

    def discard(self) -> None:
        """Leave nothing behind; what cannot be removed now, the next import removes."""
        self._waiting.clear()
        _LIVE.discard(self._target.batch)
        with suppress(StudioError):
            _discard(self._database, self._target.batch)

    def settle(self) -> None:
        """Write what waits, so that `report` and `changed` are complete before publishing."""
        self._flush()

    def _entry(self) -> dict[str, Any]:
        """What the log keeps of this import."""
        report = self.report
        told = {
            "rows added": report.added,
            "given new answers": report.extended,
            "updated": report.changed if self._target.on_change == "update" else 0,
        }
        told = {name: number for name, number in told.items() if number}
        details = {"source": self._source, **told, BATCH: self._target.batch}
        return {
            "created_at": self._clock(),
            "who": self._by[:200],
            "action": IMPORTED,
            "dataset": self.dataset,
            "details": details,
        }

    def _kept_reading(self) -> dict[str, Any]:
        return {} if self._reading is None else {"reading": self._reading or None}

    def _flush(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        with self._database.write() as connection:
            _still_mine(connection, self._target.batch)
            chunks = []
            told = NAMED_CHANGES - len(self.changed)
            for some in _with_different_ids(rows):
                chunks.append(import_rows.write_chunk(connection, self._target, some, told))
                told -= len(chunks[-1].changed)
            _set_batch(connection, self._target.batch, touched_at=self._clock())
        for chunk in chunks:
            self._count(chunk)

    def _count(self, chunk: import_rows.Chunk) -> None:
        again = chunk.extended & self._extended
        self._extended |= chunk.extended
        self._updates.add(chunk.updates)
        self.renamed |= chunk.renamed
        self.left_out |= chunk.left_out
        self.changed += chunk.changed
        self.beside += chunk.beside[: NAMED_CHANGES - len(self.beside)]
        self.report = replace(
            self.report,
            added=self.report.added + chunk.added - chunk.brought,
            unchanged=self.report.unchanged + chunk.unchanged + len(again),
            extended=self.report.extended + len(chunk.extended) - len(again),
            changed=self.report.changed + chunk.changed_count,
            metadata=self.report.metadata + chunk.metadata,
        )


def _with_different_ids(rows: Iterable[Row]) -> list[list[Row]]:
    """Part rows so that no id is twice in a part, in their order."""
    parts: list[dict[str, Row]] = [{}]
    latest: dict[str, int] = {}
    for row in rows:
        at = latest.get(row.external_id, -1) + 1
        latest[row.external_id] = at
        if at == len(parts):
            parts.append({})
        parts[at][row.external_id] = row
    return [list(part.values()) for part in parts if part]


def _short(source: str) -> str:
    """The name of a file or folder, for the history of a text; else the source itself."""
    return PurePath(source).name if "/" in source and len(PurePath(source).parts) > 2 else source


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
                extended = set(connection.execute(query.distinct()).scalars())
                # Its own changes of texts, and perhaps some made since: those change nothing here.
                query = select(TextEdit.item_id).join(Item, Item.id == TextEdit.item_id)
                query = query.where(Item.dataset_id == batch.dataset_id)
                query = query.where(TextEdit.created_at >= batch.created_at)
                extended |= set(connection.execute(query.distinct()).scalars())
            _finish(database, batch.id, sorted(extended))


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
