"""The annotation store: each method is one transaction. Safe to share between threads."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from studio.annotation.database.connection import Database
from studio.annotation.export import answer_log as given
from studio.annotation.export import label_policies as majority
from studio.annotation.export.label_policies import Preferences
from studio.annotation.labeling import answer_history as past
from studio.annotation.labeling import answer_permission, assignment, labels, pair_card
from studio.annotation.labeling import progress as counts
from studio.annotation.labeling import undo as undoing
from studio.annotation.labeling.queue_order import QueueOrder
from studio.annotation.library import browse, edits, flags_and_tags, imported_labels
from studio.annotation.library.dataset_next_steps import NextSteps, next_steps
from studio.annotation.library.import_rows import taken
from studio.annotation.library.import_staging import StagedRows
from studio.annotation.library.other_workspace_labels import Brought, ForeignLabel, bring
from studio.annotation.library.row_differences import Decision
from studio.annotation.library.saved_columns import SavedReading, saved_reading
from studio.annotation.library.trainable_version import trainable_state
from studio.annotation.quality.judges import Judges
from studio.annotation.quality.lead_actions import Team
from studio.annotation.records import (
    AddReport,
    DatasetView,
    EditView,
    ExportPolicy,
    Facets,
    HistoryEntry,
    ItemFilter,
    ItemView,
    LabelEvent,
    Order,
    PairCard,
    Progress,
    Saved,
    SideAnswer,
    Taken,
    TextChange,
)
from studio.data.schema import Message, Row

EVERYTHING = ItemFilter()
CHANGED_AT_ONCE = 1_000
PAGE = 500


class AnnotationStore:
    """An open store; several of one process on one file share its connections.

    Args:
        url: SQLAlchemy URL, for example `Workspace.database_url`.
        clock: Seconds since the epoch.

    Raises:
        DataError: The database cannot be used; it is left as it is.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(url)
        self._clock = clock
        self.team = Team(self._database, clock)
        self.judges = Judges(self._database, clock)
        self.order = QueueOrder(self._database, clock)

    def close(self) -> None:
        """Finish what is being written and let go of the database."""
        self._database.close()

    @property
    def trouble(self) -> str:
        """Why nothing is saved any more, for whoever runs the studio; empty while all is well."""
        return self._database.trouble

    def add_rows(self, dataset: str, rows: Iterable[Row]) -> AddReport:
        """Add rows to a dataset, made if new: all of them or, on an error, none.

        Raises:
            DataError: A row is unusable, or its id is there with another content.
        """
        with self.importing(dataset) as batch:
            batch.add_rows(rows)
            batch.settle()
            if batch.changed:
                raise taken(batch.changed[0].external_id)
        return batch.report

    @contextmanager
    def importing(
        self,
        dataset: str,
        *,
        source: str = "",
        split: str = "",
        on_change: Decision = "ask",
        reading: dict[str, Any] | None = None,
        by: str = "",
    ) -> Iterator[StagedRows]:
        """Add rows with `batch.add(row)`; all of them appear when the block ends.

        Nothing appears, and nothing stays, when the block raises or the process is killed.
        Annotators are never held up for longer than it takes to write `importing.CHUNK` rows.

        Args:
            source: What the rows are imported from, to filter by later.
            split: The split they are, to filter by later.
            on_change: What to do with rows that are there under their id with another content;
                ask and keep leave them out and name them.
            reading: How the source is read, kept with the dataset for the next import; None: what
                is kept stays.
            by: Who imports, for the log.

        Raises:
            BusyError: Another import goes into the same dataset.
            DataError: A row is unusable.
        """
        batch = StagedRows(
            self._database, self._clock, dataset, source, split, on_change, reading, by
        )
        try:
            yield batch
            batch.publish()
        finally:
            if not batch.published:
                batch.discard()

    def bring_labels(self, dataset: str, given: Sequence[ForeignLabel]) -> Brought:
        """Save labels that were given in another workspace; doing it again changes nothing."""
        with self._database.write() as connection:
            return bring(connection, dataset, given)

    def names_taken(self, found: Collection[str], accounts: Collection[str]) -> set[str]:
        """Find the names of `found` that an account has, or somebody who labelled here."""
        with self._database.read() as connection:
            return imported_labels.names_taken(connection, found, accounts)

    def saved_reading(self, dataset: str) -> SavedReading:
        """Read how the source of a dataset was read, where somebody said so."""
        with self._database.read() as connection:
            return saved_reading(connection, dataset)

    def next_steps(self, dataset: str) -> NextSteps:
        """Count what can be trained, labelled or answered in a dataset."""
        with self._database.read() as connection:
            return next_steps(connection, dataset)

    def now(self) -> float:
        """Return the time that the store keeps: seconds since the epoch."""
        return self._clock()

    def datasets(self) -> list[DatasetView]:
        """List every dataset, with how far its labelling is."""
        with self._database.read() as connection:
            return browse.datasets(connection)

    def browse(
        self,
        where: ItemFilter = EVERYTHING,
        *,
        order: Order = "oldest",
        after: int | None = None,
        limit: int = 50,
    ) -> list[ItemView]:
        """Read a page: the next `limit` items in `order` after the item with the id `after`."""
        with self._database.read() as connection:
            return browse.browse(connection, where, order, after, limit)

    def every(self, where: ItemFilter = EVERYTHING) -> Iterator[ItemView]:
        """Yield all items that `where` lets through, oldest first; a page of them is in memory."""
        after = None
        while page := self.browse(where, after=after, limit=PAGE):
            yield from page
            after = page[-1].id

    def count(self, where: ItemFilter = EVERYTHING, most: int | None = None) -> int:
        """Count the items that `browse` would go through, no further than `most`."""
        with self._database.read() as connection:
            return browse.count(connection, where, most)

    def find(
        self, where: ItemFilter, *, order: Order = "oldest", limit: int = 50, most: int = 10_000
    ) -> tuple[list[ItemView], int]:
        """Read the first page, and count all items, no further than `most`.

        One look at the search index instead of the two that `browse` and `count` take.
        """
        with self._database.read() as connection:
            ids = browse.ids(connection, where, order, limit=most)
            return browse.items(connection, ids[:limit]), len(ids)

    def ids(self, where: ItemFilter = EVERYTHING) -> list[int]:
        """List the ids of all items that `where` lets through, for `flag`, `exclude`, `tag`,
        `delete`.
        """
        with self._database.read() as connection:
            return browse.ids(connection, where)

    def facets(self, dataset: str | None = None) -> Facets:
        """List what there is to filter by."""
        with self._database.read() as connection:
            return browse.facets(connection, dataset)

    def item(self, item_id: int) -> ItemView:
        """Read one item, also from the bin. Raises NotFoundError."""
        with self._database.read() as connection:
            return browse.item(connection, item_id)

    def prompts(
        self, dataset: str, external_ids: Sequence[str]
    ) -> dict[str, tuple[tuple[str, ...], tuple[Message, ...]]]:
        """Read images and prompts as they are now, by the items' ids in their source; without those
        in the bin.
        """
        with self._database.read() as connection:
            return browse.prompts(connection, dataset, external_ids)

    def flag(self, ids: Sequence[int], flagged: bool = True) -> int:
        """Mark items to be looked at again; returns how many there are of `ids`."""
        return self._each(
            ids, lambda connection, some: flags_and_tags.mark(connection, some, flagged=flagged)
        )

    def exclude(self, ids: Sequence[int], excluded: bool = True) -> int:
        """Keep items from being labelled, exported and trained on, or let them in again.

        They stay in the library and keep their labels; `ItemFilter(excluded=True)` finds them,
        `ItemFilter(ids=…)` shows exactly the rows of a finding. Any number of ids; doing it again
        changes nothing.
        """
        return self._each(
            ids, lambda connection, some: flags_and_tags.mark(connection, some, excluded=excluded)
        )

    def tag(self, ids: Sequence[int], tag: str) -> int:
        """Put a tag on items; returns how many did not have it. Raises InputError."""
        tag = flags_and_tags.check_tag(tag)
        return self._each(
            ids, lambda connection, some: flags_and_tags.add_tag(connection, some, tag)
        )

    def untag(self, ids: Sequence[int], tag: str) -> int:
        """Take a tag off items; returns how many had it. Raises InputError."""
        tag = flags_and_tags.check_tag(tag)
        return self._each(
            ids, lambda connection, some: flags_and_tags.remove_tag(connection, some, tag)
        )

    def delete(self, ids: Sequence[int]) -> int:
        """Put items into the bin, from where `restore` takes them; labels are kept."""
        now = self._clock()
        return self._each(
            ids, lambda connection, some: flags_and_tags.bin_items(connection, some, now)
        )

    def restore(self, ids: Sequence[int]) -> int:
        """Take items out of the bin."""
        return self._each(
            ids, lambda connection, some: flags_and_tags.bin_items(connection, some, None)
        )

    def _each(self, ids: Sequence[int], change: Callable[[Connection, list[int]], int]) -> int:
        """Change items some at a time, so that nobody waits long for the write lock."""
        ids, changed = list(ids), 0
        for start in range(0, len(ids), CHANGED_AT_ONCE):
            with self._database.write() as connection:
                changed += change(connection, ids[start : start + CHANGED_AT_ONCE])
        return changed

    def edit(self, change: TextChange) -> ItemView:
        """Replace the text of a question or an answer; what it was stays in `edits`.

        Raises:
            ConflictError: The row has been edited since `change.revision`.
            InputError, NotFoundError: The text or its place is unusable.
        """
        with self._database.write() as connection:
            edits.edit(connection, change, self._clock())
            return browse.item(connection, change.item_id)

    def edits(self, item_id: int) -> list[EditView]:
        """List past changes of an item's texts, newest first."""
        with self._database.read() as connection:
            return edits.edits(connection, item_id)

    def claim(self, annotator: str, dataset: str | None = None) -> PairCard | None:
        """Hold the next pair for `annotator`; it is the same one until it is answered."""
        return next(iter(self.claim_several(annotator, dataset, 1)), None)

    def claim_several(
        self, annotator: str, dataset: str | None = None, count: int = 3
    ) -> list[PairCard]:
        """Hold the next pair and those after it, so that their images can be fetched ahead."""
        return self.claiming(annotator, dataset, count).result()

    def claiming(
        self, annotator: str, dataset: str | None = None, count: int = 3
    ) -> Future[list[PairCard]]:
        """Hold pairs as `claim_several` does, without waiting for it."""
        return self._database.submit(
            lambda connection: assignment.claim(
                connection, annotator, dataset, count, self._clock()
            )
        )

    def heartbeat(self, annotator: str) -> int:
        """Renew what `annotator` holds; returns how many pairs."""
        with self._database.write() as connection:
            return assignment.heartbeat(connection, annotator, self._clock())

    def release(self, annotator: str) -> int:
        """Give up what `annotator` holds: they have left."""
        with self._database.write() as connection:
            return assignment.release_all(connection, annotator)

    def card(self, pair_id: int, annotator: str) -> PairCard:
        """Read one pair as `annotator` would see it, with the answer they gave."""
        with self._database.read() as connection:
            return pair_card.card(connection, pair_id, annotator)

    def look(self, handle: int, annotator: str) -> PairCard:
        """Read the card that a page of `annotator` knows by `handle` (`PairCard.handle`).

        Raises:
            NotFoundError: They have not answered it and may not.
        """
        with self._database.read() as connection:
            return answer_permission.looked_at(connection, handle, annotator)

    def save(self, event: LabelEvent) -> Saved:
        """Save an answer of a program; it is on disk when this returns.

        The same key again changes nothing. That the pair was handed out is not asked; an answer
        of a page is saved by `saving`.

        Raises:
            ConflictError: The pair got a newer answer by the same annotator elsewhere.
            InputError, NotFoundError: The event does not fit the pair.
        """
        return self._database.run(
            lambda connection: labels.save(connection, event, self._clock())[0]
        )

    def saving(
        self, answer: SideAnswer | LabelEvent, dataset: str | None, count: int
    ) -> Future[Taken]:
        """Save the answer of a page and `claim_several` in one transaction, not waited for.

        With a `count` of 0 nothing is claimed. Raises what `save` does, and NotFoundError when
        the pair was not handed out to the annotator.
        """

        def work(connection: Connection) -> Taken:
            now = self._clock()
            event = answer_permission.admitted(connection, answer)
            saved, who = labels.save(connection, event, now)
            saved = replace(saved, pair_id=answer.pair_id, version=answer.expected_version + 1)
            if not count:
                return Taken(saved, ())
            cards = assignment.claim(connection, event.annotator, dataset, count, now, who)
            return Taken(saved, tuple(cards))

        return self._database.submit(work)

    def undo(
        self,
        annotator: str,
        key: str | None = None,
        pair_id: int | None = None,
        *,
        handle: int | None = None,
        dataset: str | None = None,
    ) -> PairCard | None:
        """Take back the latest answer that stands; returns its pair, held anew, or None.

        Args:
            key: Idempotency key, as in `LabelEvent`.
            pair_id: Only an answer of this pair.
            handle: Only an answer of what a page knows by this handle.
            dataset: Only an answer about a pair of this dataset.
        """
        key = key or uuid.uuid4().hex

        def work(connection: Connection) -> PairCard | None:
            pair, again = pair_id, None
            if handle is not None:
                pair, again = answer_permission.undoable(connection, annotator, handle)
            saved = undoing.undo(connection, annotator, key, pair, self._clock(), again, dataset)
            if saved is None:
                return None
            repeat = undoing.undid_repeat(connection, saved)
            return pair_card.card(connection, saved.pair_id, annotator, repeat)

        return self._database.run(work)

    def history(
        self, annotator: str, before: int | None = None, limit: int = 50, *, again: bool = False
    ) -> list[HistoryEntry]:
        """List answers of `annotator`, newest first; `before` is the last `label_id` seen.

        Args:
            again: With those to second showings, which do not count.
        """
        with self._database.read() as connection:
            return past.history(connection, annotator, before, limit, again=again)

    def progress(
        self, annotator: str | None = None, dataset: str | None = None, *, at_end: bool = False
    ) -> Progress:
        """Count the progress of one annotator, or of all (None); `today` is the server's day.

        Args:
            at_end: The annotator was given no pair just now; see `annotation.labeling.progress`.
        """
        now = datetime.fromtimestamp(self._clock())
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        with self._database.read() as connection:
            return counts.progress(connection, annotator, dataset, midnight, at_end=at_end)

    def preferences(self, dataset: str, policy: ExportPolicy | None = None) -> list[Row]:
        """Make training rows of the majority answers; `decided_preferences` says what is left out."""
        return self.decided_preferences(dataset, policy or ExportPolicy()).rows

    def decided_preferences(self, dataset: str, policy: ExportPolicy) -> Preferences:
        """Make training rows, and count the pairs left out by reason."""
        with self._database.read() as connection:
            return majority.preferences(connection, dataset, policy)

    def answers(
        self, dataset: str, annotators: Sequence[str] = (), *, excluded: bool = False
    ) -> list[dict]:
        """List what everybody says now, as records; see `annotation.export.answer_log`."""
        with self._database.read() as connection:
            return given.answers(connection, dataset, annotators, excluded=excluded)

    def trainable_state(self, dataset: str) -> str:
        """Hash everything that training on `dataset` depends on."""
        with self._database.read() as connection:
            return trainable_state(connection, dataset)
