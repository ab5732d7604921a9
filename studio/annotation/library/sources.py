"""The library of items: previewing a source, bringing it in, and what is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from studio.annotation import AnnotationStore
from studio.annotation.library.import_staging import StagedRows
from studio.annotation.library.other_workspace import WorkspaceSource, is_workspace
from studio.annotation.library.other_workspace_labels import Brought
from studio.annotation.library.rejected_rows import LeftOut
from studio.core.errors import DataError, RunFailedError, source_error
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.schema import BadRow, Row
from studio.data.sources import Source, open_source
from studio.data.sources.archive import ENDING as ZIP
from studio.data.sources.files import ENDINGS
from studio.data.sources.registry import open_reader
from studio.data.split_slices import parse_split

Progress = Callable[[int, int | None], None]
ALL_SPLITS = "all"
EVERY = 20


@dataclass(frozen=True)
class SourcePreview:
    """What a source holds, before anything is brought in.

    Attributes:
        mapping: Role → column, as it would be read.
        rows: Number of rows of the chosen split, if known.
        labels: For another workspace, how many labels of each annotator could come along.
    """

    label: str
    recognised_as: str
    columns: tuple[str, ...]
    mapping: dict[str, str]
    splits: tuple[str, ...]
    rows: int | None
    first: list[Row]
    bad: list[BadRow]
    labels: dict[str, int] | None = None


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        dataset: The name the rows are under.
        extended: Rows that were there and got new answers.
        identical: Rows whose answers all say the same: brought in, but no pair.
        bad: Rows left out, with reasons (the first of them).
        left_out: A CSV file with the lines and reasons of all of them; None when there are none.
        number: Number of the import in this workspace.
        labels: What came of the labels of another workspace; None when they were not asked for.
    """

    dataset: str
    recognised_as: str
    added: int = 0
    unchanged: int = 0
    extended: int = 0
    identical: int = 0
    bad_count: int = 0
    bad: list[BadRow] = field(default_factory=list)
    left_out: Path | None = None
    number: int = 0
    labels: Brought | None = None


def open_any(
    spec: str, workspace: Workspace, split: str | None, columns: Mapping[str, str] | None
) -> Source | WorkspaceSource:
    """Open a source to import from: all that `open_source` knows, and another workspace.

    Raises:
        DataError: It cannot be read, or lacks the split or a column.
    """
    try:
        if is_workspace(spec):
            return WorkspaceSource(spec, split, workspace)
    except OSError as error:
        raise source_error(f"{spec[:200]!r} cannot be read: {error.strerror or error}.") from error
    return open_source(spec, split=split, columns=columns, workspace=workspace)


def preview_source(
    spec: str,
    workspace: Workspace,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int = 5,
) -> SourcePreview:
    """Recognise a source and read its first rows. Raises DataError."""
    source = open_any(spec, workspace, None if split == ALL_SPLITS else split or None, columns)
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
        labels=source.annotators() if isinstance(source, WorkspaceSource) else None,
    )


def source_columns(spec: str, workspace: Workspace, split: str | None = None) -> tuple[str, ...]:
    """List the columns of a source that nobody recognised, to be mapped by hand.

    Raises:
        DataError: It cannot be read, or lacks the split.
    """
    name = parse_split(split).name if split and split != ALL_SPLITS else None
    return open_reader(spec, name, workspace).columns


def import_source(
    spec: str,
    workspace: Workspace,
    store: AnnotationStore,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    name: str | None = None,
    labels: bool = False,
    on_progress: Progress | None = None,
) -> ImportReport:
    """Bring the rows of a source into the annotation store: all of them or, on an error, none.

    Importing the same source again adds only what is new. Damaged rows are left out and reported.

    Args:
        split: A split, a slice, or "all".
        limit: At most this many good rows.
        name: Name of the dataset; None: after the source.
        labels: From another workspace, also the answers people gave there, under their names.
            They follow once the rows are in.
        on_progress: Called with rows read so far and their number, if known.

    Raises:
        BusyError: Another import goes into the same dataset.
        DataError: The source cannot be read, or none of its rows can be used.
        RunFailedError: The disk is full or broken.
    """
    splits: Sequence[str | None] = (split or None,)
    if split == ALL_SPLITS:
        splits = open_any(spec, workspace, None, columns).splits
    sources = [open_any(spec, workspace, name_of_split, columns) for name_of_split in splits]
    first = sources[0]
    named = first.split if isinstance(first, WorkspaceSource) else dataset_name(spec)
    dataset = name or named
    total = _total(sources, limit) if on_progress else None
    try:
        with store.importing(dataset, source=spec.strip()) as batch, LeftOut() as bad:
            identical = 0
            for read, row in enumerate(_rows(sources, batch, limit), 1):
                if isinstance(row, BadRow):
                    bad.add(row)
                else:
                    batch.add(row)
                    identical += _says_the_same(row)
                if on_progress and (read % EVERY == 0 or read == total):
                    on_progress(read, total)
            if not batch.rows:
                raise _nothing_usable(sources[0], bad)
            left_out = bad.keep(workspace.left_out(batch.number))
    except OSError as error:
        raise RunFailedError(
            f"The import broke off: {error.strerror or error}. Nothing was added.",
            remedy="Free some space or check the disk, then import again.",
        ) from error
    return ImportReport(
        dataset=dataset,
        recognised_as=sources[0].recognised_as,
        added=batch.report.added,
        unchanged=batch.report.unchanged,
        extended=batch.report.extended,
        identical=identical,
        bad_count=bad.count,
        bad=bad.first,
        left_out=left_out,
        number=batch.number,
        labels=_bring_labels(sources, store, batch.dataset) if labels else None,
    )


def _bring_labels(
    sources: list[Source | WorkspaceSource], store: AnnotationStore, dataset: str
) -> Brought:
    done = Brought()
    for number, source in enumerate(sources):
        if isinstance(source, WorkspaceSource):
            for some in source.labels():
                if number:
                    some = [replace(label, item=_id_of(label.item, source.split)) for label in some]
                done += store.bring_labels(dataset, some)
    return done


def dataset_name(spec: str) -> str:
    """Name a source: `pairs` for `/data/pairs.jsonl`, `owner/name` for a hub id."""
    spec = spec.strip()
    path = PurePath(spec)
    if spec.startswith(("embedded:", "exports/")):
        name = re.split("[:/]", spec, maxsplit=1)[1]
    elif path.suffix.lower() in (*ENDINGS, ZIP):
        name = path.stem
    elif path.is_absolute() or spec.startswith((".", "~")):
        name = path.name
    else:
        name = spec
    return name[:200] or "dataset"


def _total(sources: list[Source | WorkspaceSource], limit: int | None) -> int | None:
    counts = [source.count() for source in sources]
    known = [count for count in counts if count is not None]
    total = sum(known) if len(known) == len(counts) else None
    return min(total, limit) if limit and total else total


def _rows(
    sources: list[Source | WorkspaceSource], batch: StagedRows, limit: int | None
) -> Iterator[Row | BadRow]:
    """All rows; of several splits, those after the first have it in their ids and reasons."""
    good = 0
    for number, source in enumerate(sources):
        batch.of_split(source.split)
        for row in source.rows():
            yield _of_split(row, source.split) if number else row
            good += isinstance(row, Row)
            if limit is not None and good >= limit:
                return


def _of_split(row: Row | BadRow, split: str) -> Row | BadRow:
    if isinstance(row, BadRow):
        return replace(row, reason=f"{row.reason} (split {split})")
    return replace(row, external_id=_id_of(row.external_id, split))


def _id_of(name: str, split: str) -> str:
    return f"{split}/{name}"[:500]


def _says_the_same(row: Row) -> bool:
    answers = [
        answer.text.strip() for answer in (row.chosen, row.rejected, *row.candidates) if answer
    ]
    return len(answers) > 1 and len(set(answers)) == 1


def _nothing_usable(source: Source | WorkspaceSource, bad: LeftOut) -> DataError:
    if not bad.count:
        return source_error(f"{source.label} has no rows.")
    first = bad.first[0]
    return source_error(
        f"None of the {counted(bad.count)} of {source.label} can be used; row {first.line}: "
        f"{first.reason}.",
        "Check the columns and that the images lie beside the data.",
    )
