"""The annotation store: each method is one transaction. Safe to share between threads."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from studio.annotation import browse, claims, importing, labels
from studio.annotation import preferences as majority
from studio.annotation import progress as counts
from studio.annotation.database import Database
from studio.annotation.importing import Batch
from studio.annotation.preferences import Preferences
from studio.annotation.views import (
    AddReport,
    DatasetView,
    ExportPolicy,
    HistoryEntry,
    ItemView,
    LabelEvent,
    PairCard,
    Progress,
    Saved,
)
from studio.data.schema import Row


class AnnotationStore:
    """An open store.

    Args:
        url: SQLAlchemy URL, for example `Workspace.database_url`.
        clock: Seconds since the epoch.

    Raises:
        DataError: The database cannot be used; it is left as it is.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(url)
        self._clock = clock

    def close(self) -> None:
        self._database.close()

    def add_rows(self, dataset: str, rows: Iterable[Row]) -> AddReport:
        """Add rows to a dataset, made if new: all of them or, on an error, none.

        Raises:
            DataError: A row is unusable, or its id belongs to a different question or image.
        """
        with self.importing(dataset) as batch:
            batch.add_rows(rows)
        return batch.report

    @contextmanager
    def importing(self, dataset: str) -> Iterator[Batch]:
        """Gather rows with `batch.add(row)`; they are written together when the block ends.

        Nothing is written when the block raises. Annotators wait only for the write itself.
        """
        batch = Batch(importing.check_name(dataset))
        yield batch
        with self._database.write() as connection:
            batch.report = importing.write_rows(
                connection, batch.dataset, batch.rows, self._clock()
            )

    def datasets(self) -> list[DatasetView]:
        with self._database.read() as connection:
            return browse.datasets(connection)

    def browse(
        self,
        dataset: str | None = None,
        search: str = "",
        labelled: bool | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> list[ItemView]:
        """The next `limit` items after the item with id `after`; all words of `search` match."""
        with self._database.read() as connection:
            return browse.browse(connection, dataset, search, labelled, after, limit)

    def count(
        self, dataset: str | None = None, search: str = "", labelled: bool | None = None
    ) -> int:
        """How many items `browse` would go through."""
        with self._database.read() as connection:
            return browse.count(connection, dataset, search, labelled)

    def item(self, item_id: int) -> ItemView:
        with self._database.read() as connection:
            return browse.item(connection, item_id)

    def claim(self, annotator: str, dataset: str | None = None) -> PairCard | None:
        """The next pair for `annotator`, held for them; the same one until it is answered."""
        return next(iter(self.claim_several(annotator, dataset, 1)), None)

    def claim_several(
        self, annotator: str, dataset: str | None = None, count: int = 3
    ) -> list[PairCard]:
        """The next pair and those after it, so that their images can be fetched ahead."""
        with self._database.write() as connection:
            return claims.claim(connection, annotator, dataset, count, self._clock())

    def card(self, pair_id: int, annotator: str) -> PairCard:
        """One pair as `annotator` sees it, with the answer they gave."""
        with self._database.read() as connection:
            return claims.card(connection, pair_id, annotator)

    def save(self, event: LabelEvent) -> Saved:
        """Save an answer; it is on disk when this returns. The same key again changes nothing.

        Raises:
            ConflictError: The pair got a newer answer by the same annotator elsewhere.
            InputError, NotFoundError: The event does not fit the pair.
        """
        with self._database.write() as connection:
            return labels.save(connection, event, self._clock())

    def undo(
        self, annotator: str, key: str | None = None, pair_id: int | None = None
    ) -> PairCard | None:
        """Take back the latest answer that stands; returns its pair, held anew, or None.

        Args:
            key: Idempotency key, as in `LabelEvent`.
            pair_id: Only an answer of this pair.
        """
        key = key or uuid.uuid4().hex
        with self._database.write() as connection:
            saved = labels.undo(connection, annotator, key, pair_id, self._clock())
            return saved and claims.card(connection, saved.pair_id, annotator)

    def history(
        self, annotator: str, before: int | None = None, limit: int = 50
    ) -> list[HistoryEntry]:
        """Answers of `annotator`, newest first; `before` is the last `label_id` seen."""
        with self._database.read() as connection:
            return labels.history(connection, annotator, before, limit)

    def progress(self, annotator: str | None = None, dataset: str | None = None) -> Progress:
        """Progress of one annotator, or of all with None; `today` is the server's day."""
        now = datetime.fromtimestamp(self._clock())
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        with self._database.read() as connection:
            return counts.progress(connection, annotator, dataset, midnight)

    def preferences(self, dataset: str, policy: ExportPolicy | None = None) -> list[Row]:
        """Training rows of the majority answers; what was left out: `decided_preferences`."""
        return self.decided_preferences(dataset, policy or ExportPolicy()).rows

    def decided_preferences(self, dataset: str, policy: ExportPolicy) -> Preferences:
        """The rows, and the number of pairs left out by reason."""
        with self._database.read() as connection:
            return majority.preferences(connection, dataset, policy)
