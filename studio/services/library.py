"""The library of items: previewing a source, bringing it in, and what is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from studio.annotation import AnnotationStore, DatasetView
from studio.data.schema import BadRow, Row
from studio.data.sources import Source, open_source
from studio.data.sources.files import ENDINGS
from studio.errors import DataError, RunFailedError
from studio.paths import Workspace

Progress = Callable[[int, int | None], None]
REPORTED_BAD = 1_000


@dataclass(frozen=True)
class SourcePreview:
    """What a source holds, before anything is brought in.

    Attributes:
        mapping: Role → column, as it would be read.
        rows: Number of rows of the chosen split, if known.
    """

    label: str
    recognised_as: str
    columns: tuple[str, ...]
    mapping: dict[str, str]
    splits: tuple[str, ...]
    rows: int | None
    first: list[Row]
    bad: list[BadRow]


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        dataset: The name the rows are under.
        extended: Rows that were there and got new answers.
        bad: Rows left out, with reasons (at most `REPORTED_BAD` of `bad_count`).
    """

    dataset: str
    recognised_as: str
    added: int = 0
    unchanged: int = 0
    extended: int = 0
    bad_count: int = 0
    bad: list[BadRow] = field(default_factory=list)


def preview_source(
    spec: str,
    workspace: Workspace,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int = 5,
) -> SourcePreview:
    """Recognise a source and read its first rows. Raises DataError."""
    source = open_source(spec, split=split or None, columns=columns, workspace=workspace)
    preview = source.preview(limit)
    return SourcePreview(
        label=source.label,
        recognised_as=source.recognised_as,
        columns=source.columns,
        mapping=source.mapping,
        splits=source.splits,
        rows=source.count(),
        first=preview.rows,
        bad=preview.bad,
    )


def import_source(
    spec: str,
    workspace: Workspace,
    store: AnnotationStore,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    name: str | None = None,
    on_progress: Progress | None = None,
) -> ImportReport:
    """Bring the rows of a source into the annotation store: all of them or, on an error, none.

    Importing the same source again adds only what is new. Damaged rows are left out and reported.

    Args:
        limit: At most this many good rows.
        name: Name of the dataset; None: after the source.
        on_progress: Called with rows read so far and their number, if known.

    Raises:
        DataError: The source cannot be read, or none of its rows can be used.
        RunFailedError: The disk is full or broken.
    """
    source = open_source(spec, split=split or None, columns=columns, workspace=workspace)
    dataset = name or dataset_name(spec)
    total = source.count() if on_progress else None
    bad: list[BadRow] = []
    try:
        with store.importing(dataset) as batch:
            for read, row in enumerate(_limited(source, limit), 1):
                if isinstance(row, BadRow):
                    bad.append(row)
                else:
                    batch.add(row)
                if on_progress and (read % 20 == 0 or read == total):
                    on_progress(read, min(total, limit) if limit and total else total)
            if not batch.rows:
                raise _nothing_usable(source, bad)
    except OSError as error:
        raise RunFailedError(
            f"The import broke off: {error.strerror or error}. Nothing was added.",
            remedy="Free some space or check the disk, then import again.",
        ) from error
    return ImportReport(
        dataset=dataset,
        recognised_as=source.recognised_as,
        added=batch.report.added,
        unchanged=batch.report.unchanged,
        extended=batch.report.extended,
        bad_count=len(bad),
        bad=bad[:REPORTED_BAD],
    )


def list_datasets(store: AnnotationStore) -> list[DatasetView]:
    """The datasets of the library with their counts, in the order they were made."""
    return store.datasets()


def dataset_name(spec: str) -> str:
    """The name a source gets: `pairs` for `/data/pairs.jsonl`, `owner/name` for a hub id."""
    spec = spec.strip()
    path = PurePath(spec)
    if spec.startswith(("embedded:", "exports/")):
        name = re.split("[:/]", spec, maxsplit=1)[1]
    elif path.suffix.lower() in ENDINGS:
        name = path.stem
    elif path.is_absolute() or spec.startswith((".", "~")):
        name = path.name
    else:
        name = spec
    return name[:200] or "dataset"


def _limited(source: Source, limit: int | None) -> Iterator[Row | BadRow]:
    good = 0
    for row in source.rows():
        yield row
        good += isinstance(row, Row)
        if limit is not None and good >= limit:
            return


def _nothing_usable(source: Source, bad: list[BadRow]) -> DataError:
    if not bad:
        return DataError(f"{source.label} has no rows.", field="data.source")
    first = bad[0]
    return DataError(
        f"None of the {len(bad)} rows of {source.label} can be used; row {first.line}: "
        f"{first.reason}.",
        remedy="Check the columns and that the images lie beside the data.",
        field="data.source",
    )
