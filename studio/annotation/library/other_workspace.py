"""The datasets of another workspace, read without changing anything in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote

from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import DatabaseError

from studio.annotation.database.connection import REVISION
from studio.annotation.labeling.written_answers import AUTHOR as WRITTEN_BY
from studio.annotation.library import browse
from studio.annotation.library.import_rows import CHUNK
from studio.annotation.library.other_workspace_labels import (
    ForeignLabel,
    annotators,
    standing_labels,
)
from studio.annotation.records import ItemFilter, ItemView
from studio.core.errors import DataError, NotFoundError, source_error
from studio.core.paths import Workspace, can_be_path, typed_path
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, BadRow, FieldUse, FileGroup, Row
from studio.data.sources.opened_source import Preview
from studio.data.split_slices import Split, choose_split, parse_split


def is_workspace(spec: str) -> bool:
    """Return whether `spec` is the folder of a workspace."""
    if not spec.strip() or not can_be_path(spec.strip()):
        return False
    path = typed_path(spec.strip())
    return path.is_dir() and Workspace(path.resolve()).database.is_file()


class WorkspaceSource:
    """Rows of one dataset of another workspace; its datasets are the splits.

    Answers and the preferences that were imported with them come along as rows; what people said
    and wrote comes as `labels`. Attributes as of `studio.data.sources.opened_source.Source`.

    Raises:
        DataError: Its database is of another version or damaged, or has no such dataset.
    """

    def __init__(self, spec: str, split: str | None, workspace: Workspace) -> None:
        other = Workspace(typed_path(spec.strip()).resolve())
        self._theirs, self._ours = ImageStore(other), ImageStore(workspace)
        # Changes nothing there, and keeps no file open between two reads.
        only = {"mode": "ro", "uri": "true"}
        url = URL.create("sqlite", database=f"file:{quote(str(other.database))}", query=only)
        self._engine = create_engine(url, poolclass=NullPool)
        self.label, self.recognised_as = f"workspace {other.root.name}", "Another workspace"
        self.columns: tuple[str, ...] = ()
        self.mapping: dict[str, str] = {}
        self.splits = self._datasets(other)
        slice_of = parse_split(split) if split and split not in self.splits else Split(split or "")
        self.split = choose_split(slice_of.name or None, self.splits)
        self._slice = slice_of

    def count(self) -> int:
        """Count the rows in the slice."""
        start, stop = self._slice.bounds(self._total)
        return max(0, min(self._total(), stop if stop is not None else 1 << 62) - start)

    def rows(self) -> Iterator[Row | BadRow]:
        """Stream the rows, their images copied into this workspace."""
        start, stop = self._slice.bounds(self._total)
        for line, item in enumerate(islice(self._items(), start, stop), start + 1):
            try:
                yield self._row(item)
            except (DataError, NotFoundError) as error:
                yield BadRow(line, error.message.rstrip("."), error.field)

    def preview(self, n: int = 5) -> Preview:
        """Read the first rows."""
        rows = list(islice(self.rows(), n))
        bad = [row for row in rows if isinstance(row, BadRow)]
        return Preview([row for row in rows if isinstance(row, Row)], bad)

    def fields(self) -> list[FieldUse]:
        """Nothing: rows of a workspace have no columns of their own."""
        return []

    def notes(self) -> list[str]:
        """Nothing: its rows were read before."""
        return []

    def files(self) -> list[FileGroup]:
        """Nothing: its files are the studio's."""
        return []

    def annotators(self) -> dict[str, int]:
        """Count the answers of each annotator that stand in the dataset."""
        with self._engine.connect() as connection:
            return annotators(connection, self.split)

    def labels(self) -> Iterator[list[ForeignLabel]]:
        """Yield the answers that stand in the dataset, some at a time."""
        with self._engine.connect() as connection:
            given = standing_labels(connection, self.split)
            while some := list(islice(given, CHUNK)):
                yield some

    def _datasets(self, other: Workspace) -> tuple[str, ...]:
        try:
            with self._engine.connect() as connection:
                revision = connection.execute(
                    text("SELECT version_num FROM alembic_version")
                ).scalar()
                if revision != REVISION:
                    raise source_error(
                        f"The workspace {other.root.name!r} was made by another version.",
                        "Open it once with this studio, then import from it.",
                    )
                names = tuple(dataset.name for dataset in browse.datasets(connection))
        except DatabaseError as error:
            raise source_error(
                f"The database of the workspace {other.root.name!r} cannot be read: {error.orig}.",
                "Check that it is whole and may be read.",
            ) from error
        if not names:
            raise source_error(
                f"The workspace {other.root.name!r} is empty.",
                "Choose one that rows were imported into.",
            )
        return names

    def _total(self) -> int:
        with self._engine.connect() as connection:
            return browse.count(connection, ItemFilter(dataset=self.split))

    def _items(self) -> Iterator[ItemView]:
        after = None
        while True:
            with self._engine.connect() as connection:
                where = ItemFilter(dataset=self.split)
                page = browse.browse(connection, where, "oldest", after, CHUNK)
            yield from page
            if len(page) < CHUNK:
                return
            after = page[-1].id

    def _row(self, item: ItemView) -> Row:
        for sha in item.images:
            if self._ours.add(self._theirs.path(sha)) != sha:
                raise DataError(f"the image {sha[:12]}… is not what it was", field="image")
        answers = {c.id: c.answer for c in item.candidates if not c.author.startswith(WRITTEN_BY)}
        reference = next((c.id for c in item.candidates if c.reference and c.id in answers), None)
        pair = next(
            (
                p
                for p in item.pairs
                if p.source_choice_id and p.first_id in answers and p.second_id in answers
            ),
            None,
        )
        chosen = rejected = None
        if pair is not None:
            chosen = pair.source_choice_id
            rejected = pair.second_id if chosen == pair.first_id else pair.first_id
        used = {reference, chosen, rejected}
        known: dict[int | None, Answer] = dict(answers.items())
        return Row(
            external_id=item.external_id,
            images=item.images,
            prompt=item.prompt,
            completion=known.get(reference),
            chosen=known.get(chosen),
            rejected=known.get(rejected),
            candidates=tuple(answer for key, answer in answers.items() if key not in used),
            meta=item.meta,
        )
