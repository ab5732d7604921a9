"""A source opened: recognised, mapped, and streamed as rows with their images in the store."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from studio.core.errors import DataError
from studio.core.paths import Workspace, typed_path
from studio.core.plurals import counted
from studio.data.columns import gather_facts, split_mapping, tells_by_number
from studio.data.image_store import ImageStore
from studio.data.record_fields import is_shallow, leaf_paths
from studio.data.record_reader import RecordReader, no_question
from studio.data.row_maker import RowMaker
from studio.data.schema import BadRow, FieldUse, FileGroup, Row
from studio.data.sources.file_census import UNNAMED
from studio.data.sources.reader import Reader, Record
from studio.data.sources.registry import open_reader
from studio.data.sources.row_images import RowImages
from studio.data.split_slices import Split, choose_split, parse_split

SCANNED = 5_000  # records whose fields a preview looks at
MOST_PATHS = 20_000
LONGEST_REASON = 500  # characters; some quote what they are about


@dataclass(frozen=True)
class Preview:
    """The first rows of a source, good and bad.

    Attributes:
        further: Rows after them, among the first `SCANNED` records, that cannot be read.
    """

    rows: list[Row]
    bad: list[BadRow]
    further: list[BadRow] = field(default_factory=list)


class Source:
    """Rows of one split of one source.

    Attributes:
        label: What it is and where from.
        columns: Column names found in the first rows.
        splits: All splits of the source.
        split: The one that is read.
    """

    def __init__(
        self,
        reader: Reader,
        slice_of: Split | None,
        images: ImageStore,
        explicit: Mapping[str, str] | None,
        where: Mapping[str, object] | None = None,
    ) -> None:
        samples = [record for record in reader.peek() if is_shallow(record.values)]
        self._samples = samples
        self._reader, self._slice, self._images = reader, slice_of, images
        self._where = {name: str(value) for name, value in (where or {}).items()}
        self.label, self.splits, self.columns = reader.label, reader.splits, reader.columns
        wanted = slice_of.name if slice_of else None
        self.split = choose_split(wanted if len(reader.splits) > 1 else None, reader.splits)
        self._mapping = split_mapping(explicit, self._paths(explicit))
        self._facts = gather_facts(self._telling(samples))
        self._record_reader = self._new_reader(samples)
        self._row_images: RowImages | None = None
        self._shown = 0
        """Rows of a preview that ended before the last one; 0 where all rows were read."""
        if samples:
            self._check()

    def _paths(self, explicit: Mapping[str, str] | None) -> list[str]:
        """All columns and paths that a mapping may name: of every row, if it names one."""
        paths = dict.fromkeys(self.columns)
        if not any(path and not path.startswith("=") for path in (explicit or {}).values()):
            return list(paths)
        for record in self._reader.records():
            if isinstance(record, Record):
                paths |= dict.fromkeys(map(str, record.values))
                if is_shallow(record.values):
                    paths |= dict.fromkeys(leaf_paths(record.values))
            if len(paths) > MOST_PATHS:
                break
        return list(paths)

    def _telling(self, samples: list[Record]) -> Iterable[Mapping[str, object]]:
        """The records to gather facts of: all of them where numbers say which answer is better."""
        if any(tells_by_number(record.values) for record in samples):
            return (r.values for r in self._reader.records() if isinstance(r, Record))
        return [record.values for record in samples]

    def _new_reader(self, samples: Iterable[Record] = ()) -> RecordReader:
        reader = RecordReader(self._facts, *self._mapping)
        for record in samples:
            reader.plan(record.values, record.only_texts)
        return reader

    def _check(self) -> None:
        """Refuse a source none of whose first records can be read, or that lacks a column."""
        plans = self._record_reader.account.plans
        if plans and all(plan.problem for plan in plans) and (problem := plans[0].problem):
            raise problem
        if plans and all(plan.asks_default for plan in plans) and not self._record_reader.captions:
            raise no_question(plans[0])
        if missing := [name for name in self._where if name not in self.columns]:
            raise DataError(
                f"There is no column {missing[0]!r} to choose rows by.",
                remedy=f"The columns are {', '.join(self.columns)}.",
                field="data.where",
            )

    @property
    def recognised_as(self) -> str:
        """The format in words, of all rows seen so far; several where there are several."""
        plans = [p for p in self._record_reader.account.plans if p.problem is None]
        unnamed = next((plan.name for plan in plans if plan.format is None), None)
        names = dict.fromkeys(p.name for p in plans if p.format or p.name == unnamed)
        return "; ".join(list(names)[:4]) or "No rows"

    @property
    def mapping(self) -> dict[str, str]:
        """Role → column or path, as the rows seen so far are read."""
        found: dict[str, str] = {}
        for plan in self._record_reader.account.plans:
            for role, paths in plan.guess.items():
                found.setdefault(role, ",".join(paths))
            for path, role in plan.used.items():
                if plan.format is not None and role not in plan.guess:
                    found.setdefault(role, path)
        return found | {role: f"={text}" for role, text in self._mapping[1].items()}

    def fields(self) -> list[FieldUse]:
        """Tell what became of every field of the rows read so far."""
        return self._record_reader.account.fields()

    def notes(self) -> list[str]:
        """Say what else was noticed in the rows read so far, a sentence each."""
        return self._record_reader.account.notes()

    def files(self) -> list[FileGroup]:
        """Tell what became of every file of a folder or an archive, as far as rows were read."""
        found = self._reader.files(self._row_images.used if self._row_images else frozenset())
        if not self._shown:
            return found
        verb = "does" if self._shown == 1 else "do"
        unseen = f"the first {counted(self._shown, 'row')} {verb} not name it; more follow"
        return [replace(one, why=unseen) if one.why == UNNAMED else one for one in found]

    def scan(
        self, limit: int = SCANNED, unusable: Container[int] = (), shown: int = 0
    ) -> list[BadRow]:
        """Look at the fields of the first `limit` records, without their images.

        Args:
            unusable: Which of them (from 0) are known to make no row, though they can be read.
            shown: How many of them were told of before.

        Returns:
            Those after these that cannot be read.
        """
        bad: list[BadRow] = []
        self._record_reader = self._new_reader(self._samples)
        for place, record in enumerate(islice(self._reader.between(*self.bounds()), limit)):
            if isinstance(record, BadRow):
                bad += [record] if place >= shown else []
                continue
            if not self._is_wanted(record):
                continue
            try:
                self._record_reader.read(record.values, record.only_texts)
            except (DataError, RecursionError) as error:
                self._record_reader.leave_out()
                bad += [_refused(record, error)] if place >= shown else []
            else:
                if place in unusable:
                    self._record_reader.leave_out()
        return bad

    def _is_wanted(self, record: Record) -> bool:
        return all(str(record.values.get(name)) == value for name, value in self._where.items())

    def bounds(self) -> tuple[int, int | None]:
        """Return the first record and the one after the last, of the slice asked for."""
        return self._slice.bounds(self._reader.count) if self._slice else (0, None)

    def count(self) -> int | None:
        """Count the records in the slice, damaged ones too; None when that means fetching all."""
        start, stop = self.bounds()
        total = self._reader.known_count()
        if total is None:
            return stop - start if stop is not None else None
        return max(0, min(total, stop if stop is not None else total) - start)

    def rows(self) -> Iterator[Row | BadRow]:
        """Stream the rows; one that cannot be used is a BadRow with its line and the reason."""
        self._record_reader = self._new_reader(self._samples)
        self._row_images = RowImages(self._images, self._reader)
        self._shown = 0
        for _, row in self._read(self._record_reader, self._row_images):
            yield row

    def _read(self, reader: RecordReader, images: RowImages) -> Iterator[tuple[int, Row | BadRow]]:
        """Read rows, each with the place (from 0) of its record."""
        maker = RowMaker(images)
        for place, record in enumerate(self._reader.between(*self.bounds())):
            if isinstance(record, BadRow):
                yield place, record
                continue
            if not self._is_wanted(record):
                continue
            try:
                rows = [
                    row
                    for roles in reader.read(record.values, record.only_texts)
                    for row in maker.rows(roles)
                ]
            except (DataError, RecursionError) as error:
                reader.leave_out()
                yield place, _refused(record, error)
            else:
                for row in rows:
                    yield place, row

    def preview(self, n: int = 5) -> Preview:
        """Read the first `n` good rows and the bad ones on the way (at most `10 * n` in all).

        Fields are told of the first `SCANNED` records, and what cannot be read among them.
        """
        place = -1
        rows: list[Row] = []
        bad: list[BadRow] = []
        unusable: set[int] = set()
        self._row_images = RowImages(self._images, self._reader)
        of_shown = self._new_reader(self._samples)
        for place, row in islice(self._read(of_shown, self._row_images), 10 * n):
            if isinstance(row, BadRow):
                bad.append(row)
                unusable.add(place)
            else:
                rows.append(row)
            if len(rows) == n:
                break
        total = self.count()
        seen = len(rows) + len(bad)
        self._shown = seen if total is None or total > seen else 0
        return Preview(rows, bad, self.scan(unusable=unusable, shown=place + 1))


def _refused(record: Record, error: DataError | RecursionError) -> BadRow:
    if isinstance(error, RecursionError):
        return BadRow(record.line, "values are nested too deeply")
    return BadRow(record.line, error.message.rstrip(".")[:LONGEST_REASON], error.field)


def open_source(
    spec: str,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    workspace: Workspace,
    split_field: str = "data.train",
    where: Mapping[str, object] | None = None,
    images: Path | None = None,
) -> Source:
    """Open a source and recognise its format; reads only its first rows.

    Args:
        spec: A file, a folder, `exports/<name>`, `embedded:<set>` or a hub id
            (`owner/name[:config][@revision]`).
        split: `train`, `evaluation`, …, or a slice such as `train[:10%]`; None: train.
        columns: Role → column, overruling what is recognised.
        split_field: The setting to name when the split is at fault.
        where: Column → value that a row must have to be read.
        images: A folder with the images that rows name, where they are not beside the data.

    Raises:
        DataError: With `field` `data.source`, `data.images`, `split_field`, `data.columns.<role>` or
            `data.where`.
    """
    slice_of = parse_split(split, split_field) if split else None
    name = slice_of.name if slice_of else None
    reader = open_reader(spec, name, workspace, split_field)
    if images is not None:
        reader.more_folders = (*reader.more_folders, existing_folder(images))
    return Source(reader, slice_of, ImageStore(workspace), columns, where)


def existing_folder(path: Path) -> Path:
    """Find a folder of images. Raises DataError when there is none."""
    folder = typed_path(str(path))
    if not folder.is_dir():
        raise DataError(
            f"There is no folder {str(path)[:200]!r}.",
            remedy="Give the folder that has the images, on the machine the studio runs on.",
            field="data.images",
        )
    return folder.resolve()
