"""The library of items: previewing a source, bringing it in, and what is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from studio.annotation import AnnotationStore
from studio.annotation.library.import_report import (
    ImportReport,
    SourcePreview,
    joined_files,
)
from studio.annotation.library.import_staging import StagedRows
from studio.annotation.library.imported_labels import (
    GivenLabels,
    LabelledRepeats,
    LabelSpool,
    check_names,
)
from studio.annotation.library.other_workspace import WorkspaceSource, is_workspace
from studio.annotation.library.other_workspace_labels import Brought
from studio.annotation.library.rejected_rows import LeftOut
from studio.annotation.library.rejection_reasons import grouped
from studio.annotation.library.row_differences import Decision
from studio.annotation.library.saved_columns import Reading, SavedReading, choose_reading
from studio.core.errors import DataError, RunFailedError, source_error
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.schema import BadRow, Row, joined_fields
from studio.data.sources import Source, open_source
from studio.data.sources.archive import bare_name
from studio.data.sources.registry import open_reader
from studio.data.split_slices import parse_split

__all__ = [
    "ImportReport", "SourcePreview", "dataset_name", "import_source", "open_any",
    "preview_source", "source_columns",
]  # fmt: skip

Progress = Callable[[int, int | None], None]
ALL_SPLITS = "all"
EVERY = 20
MOST_REASONS = 5


def open_any(
    spec: str,
    workspace: Workspace,
    split: str | None,
    columns: Mapping[str, str] | None,
    images: Path | None = None,
) -> Source | WorkspaceSource:
    """Open a source to import from: all that `open_source` knows, and another workspace.

    Args:
        images: A folder to look for images in that are not beside the data.

    Raises:
        DataError: It cannot be read, or lacks the split or a column.
    """
    try:
        if is_workspace(spec):
            return WorkspaceSource(spec, split, workspace)
    except OSError as error:
        raise source_error(f"{spec[:200]!r} cannot be read: {error.strerror or error}.") from error
    if images is None:
        return open_source(spec, split=split, columns=columns, workspace=workspace)
    return open_source(spec, split=split, columns=columns, workspace=workspace, images=images)


def preview_source(
    spec: str,
    workspace: Workspace,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int = 5,
    store: AnnotationStore | None = None,
    name: str | None = None,
    images: Path | None = None,
    use_saved: bool = True,
) -> SourcePreview:
    """Recognise a source and read its first rows; see `import_source`.

    Args:
        store: Where to look up how the dataset was read before.
        name: The dataset that it would go into; None: named after the source.

    Raises:
        DataError: It cannot be read, also when it goes away while it is.
    """
    named = None if split == ALL_SPLITS else split or None
    saved = store.saved_reading(name or dataset_name(spec)) if store else SavedReading()
    reading = choose_reading(saved, columns, images, use_saved)
    try:
        return _previewed(*_opened(spec, workspace, named, reading), limit)
    except OSError as error:  # an upload taken away, a file deleted or a disk gone meanwhile
        raise source_error(
            f"The source could not be read to the end: {error.strerror or error}.",
            "Check that its files are still there, then choose it again.",
        ) from error


def _previewed(source: Source | WorkspaceSource, reading: Reading, limit: int) -> SourcePreview:
    preview = source.preview(limit)
    labels: dict[str, int] | None = None
    if isinstance(source, WorkspaceSource):
        labels = source.annotators()
    else:
        with LabelSpool(wanted=False) as given:
            for row in preview.rows:
                given.add(row)
            labels = dict(given.found) or None
    return SourcePreview(
        label=source.label,
        recognised_as=source.recognised_as,
        columns=source.columns,
        mapping=source.mapping,
        splits=source.splits,
        rows=source.count(),
        first=preview.rows,
        bad=preview.bad,
        labels=labels,
        fields=source.fields(),
        files=source.files(),
        notes=source.notes(),
        reasons=grouped(preview.bad),
        further=preview.further,
        further_reasons=grouped(preview.further),
        columns_from=reading.origin,
        columns_saved=reading.saved.columns,
        images=str(reading.images or ""),
    )


def _opened(
    spec: str, workspace: Workspace, split: str | None, reading: Reading
) -> tuple[Source | WorkspaceSource, Reading]:
    """Open a source; without the columns that were kept where they do not fit it."""
    try:
        return open_any(spec, workspace, split, reading.columns, reading.images), reading
    except DataError as error:
        if reading.origin != "saved" or not error.field.startswith("data.columns"):
            raise
        log_told(error)
    reading = replace(reading, columns=None, origin="unfit", keep=None)
    return open_any(spec, workspace, split, None, reading.images), reading


def _opened_splits(
    spec: str, workspace: Workspace, split: str | None, reading: Reading
) -> tuple[list[Source | WorkspaceSource], Reading]:
    """Open a source once for each split that is asked for."""
    splits: Sequence[str | None] = (split or None,)
    if split == ALL_SPLITS:
        first, reading = _opened(spec, workspace, None, reading)
        splits = first.splits
    sources: list[Source | WorkspaceSource] = []
    for name in splits:
        source, reading = _opened(spec, workspace, name, reading)
        sources.append(source)
    return sources, reading


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
    on_change: Decision = "ask",
    images: Path | None = None,
    use_saved: bool = True,
    labels_as: Mapping[str, str] | None = None,
    accounts: Collection[str] = (),
    label: str = "",
    by: str = "",
) -> ImportReport:
    """Bring the rows of a source into the annotation store: all of them or, on an error, none.

    Importing the same source again adds only what is new. Damaged rows are left out and reported,
    and so are rows that are there under their id with another content, unless `on_change` says
    what to do with them.

    Args:
        split: A split, a slice, or "all".
        columns: Role → column or path; kept with the dataset for its next import. None: as kept;
            empty: as recognised, and nothing is kept any more.
        limit: At most this many good rows.
        name: Name of the dataset; None: after the source.
        labels: Also the answers that people gave elsewhere, under their names. They follow once the
            rows are in.
        on_progress: Called with rows read so far and their number, if known.
        on_change: "ask" names changed rows and brings nothing of them; "update" replaces what is
            here and keeps it as history, what was labelled stays; "keep" leaves what is here;
            "new" brings them as further rows under `id~2`.
        images: A folder to look for images in that are not beside the data; kept like `columns`.
        use_saved: False: forget the columns and the folder that are kept.
        labels_as: Names of annotators in the source → names here. A name that somebody here has
            is taken only when it is among them.
        accounts: Names of the people who may log in.
        label: What people call the source; empty: as `spec` has it.
        by: Who imports it, for the log.

    Raises:
        BusyError: Another import goes into the same dataset.
        DataError: The source cannot be read, or none of its rows can be used.
        InputError: A name in `labels_as` cannot be one.
        RunFailedError: The disk is full or broken.
    """
    check_names(labels_as or {})
    reading = choose_reading(
        store.saved_reading(name or dataset_name(spec)), columns, images, use_saved
    )
    sources, reading = _opened_splits(spec, workspace, split, reading)
    first = sources[0]
    named = first.split if isinstance(first, WorkspaceSource) else dataset_name(spec)
    dataset = name or named
    total = _total(sources, limit) if on_progress else None
    with LeftOut() as bad, LabelSpool(labels) as given:
        try:
            with store.importing(
                dataset,
                source=label or spec.strip(),
                on_change=on_change,
                reading=reading.keep,
                by=by,
            ) as batch:
                identical, repeats = 0, LabelledRepeats()
                for read, row in enumerate(_rows(sources, batch, limit), 1):
                    if isinstance(row, BadRow):
                        bad.add(row)
                    elif (held := repeats.take(row, batch.split)) is not None:
                        given.add(held)
                    else:
                        batch.add(row)
                        identical += _says_the_same(row)
                    if on_progress and (read % EVERY == 0 or read == total):
                        on_progress(read, total)
                for of_split, row in repeats.rows():
                    if of_split != batch.split:
                        batch.of_split(of_split)
                    batch.add(row if labels else replace(row, labels=()))
                    identical += _says_the_same(row)
                if not batch.rows:
                    raise _nothing_usable(first, bad)
                left_out = bad.keep(workspace.left_out(batch.number))
        except OSError as error:
            raise RunFailedError(
                f"The import broke off: {error.strerror or error}. Nothing was added.",
                remedy="Free some space or check the disk, then import again.",
            ) from error
        brought, came = None, GivenLabels(dict(given.found))
        if labels:
            brought = _bring_labels(sources, store, batch.dataset)
            of_rows, came = _bring_given(given, store, batch, labels_as or {}, accounts)
            brought += of_rows
    return ImportReport(
        dataset=dataset,
        recognised_as=first.recognised_as,
        added=batch.report.added,
        unchanged=batch.report.unchanged,
        extended=batch.report.extended,
        identical=identical,
        bad_count=bad.count,
        bad=bad.first,
        left_out=left_out,
        number=batch.number,
        labels=brought,
        on_change=on_change,
        changed=batch.changed,
        changed_count=batch.report.changed,
        metadata=batch.report.metadata,
        beside=batch.beside,
        judged=batch.judged,
        given_labels=came,
        fields=joined_fields([source.fields() for source in sources]),
        files=joined_files([source.files() for source in sources]),
        notes=[
            *dict.fromkeys(note for source in sources for note in source.notes()),
            *repeats.notes(),
        ],
        reasons=bad.reasons,
        mapping=dict(first.mapping),
        columns_from=reading.origin,
        columns_saved=reading.saved.columns,
        images=str(reading.images or ""),
        next=store.next_steps(batch.dataset),
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


def _bring_given(
    given: LabelSpool,
    store: AnnotationStore,
    batch: StagedRows,
    names: Mapping[str, str],
    accounts: Collection[str],
) -> tuple[Brought, GivenLabels]:
    """Bring the labels that came with rows, but those of names that somebody here has."""
    taken = store.names_taken([name for name in given.found if name not in names], accounts)
    done = Brought()
    rows = (batch.renamed, batch.left_out)
    for some in given.labels(batch.dataset, names, taken, *rows, store.now()):
        done += store.bring_labels(batch.dataset, some)
    refused = {name: count for name, count in given.found.items() if name in taken}
    of_changed = given.count_of(batch.left_out, taken)
    return done, GivenLabels(dict(given.found), refused, of_changed, brought=True)


def dataset_name(spec: str) -> str:
    """Name a source: `pairs` for `/data/pairs.jsonl`, `owner/name` for a hub id."""
    spec = spec.strip()
    path = PurePath(spec)
    if spec.startswith(("embedded:", "exports/")):
        name = re.split("[:/]", spec, maxsplit=1)[1]
    elif (bare := bare_name(path.name)) != path.name:
        name = bare
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
    others = [f"{group.reason} ({counted(group.count)})" for group in bad.reasons]
    more = f" All reasons: {'; '.join(others[:MOST_REASONS])}." if len(others) > 1 else ""
    about_images = "image" in first.reason
    none = f"None of the {counted(bad.count)} of {source.label} can be used"
    if bad.count == 1:
        none = f"The only row of {source.label} cannot be used"
    return source_error(
        f"{none}; row {first.line}: {first.reason}.{more}",
        "Check that the images lie beside the data."
        if about_images
        else "Correct the rows, or say which column is what.",
    )
