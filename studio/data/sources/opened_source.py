"""A source opened: recognised, mapped, and streamed as rows with their images in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from studio.core.errors import DataError
from studio.core.paths import Workspace
from studio.data.columns import map_columns
from studio.data.formats import RowMaker, check_mapping, describe
from studio.data.image_store import ImageStore
from studio.data.schema import BadRow, Row
from studio.data.sources.image_lookup import RowImages
from studio.data.sources.reader import Reader
from studio.data.sources.registry import open_reader
from studio.data.split_slices import Split, choose_split, parse_split

LONGEST_REASON = 500  # characters; some quote what they are about


@dataclass(frozen=True)
class Preview:
    """The first rows of a source, good and bad."""

    rows: list[Row]
    bad: list[BadRow]


class Source:
    """Rows of one split of one source.

    Attributes:
        label: What it is and where from.
        recognised_as: The format, in words.
        columns: Column names found.
        mapping: Role → column, as it will be read.
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
        samples = [record.values for record in reader.peek()]
        self._reader, self._slice, self._images = reader, slice_of, images
        self._where = {name: str(value) for name, value in (where or {}).items()}
        self.label, self.splits, self.columns = reader.label, reader.splits, reader.columns
        wanted = slice_of.name if slice_of else None
        self.split = choose_split(wanted if len(reader.splits) > 1 else None, reader.splits)
        self.mapping = map_columns(self.columns, samples, explicit)
        if samples:
            check_mapping(self.columns, self.mapping)
            if missing := [name for name in self._where if name not in self.columns]:
                raise DataError(
                    f"There is no column {missing[0]!r} to choose rows by.",
                    remedy=f"The columns are {', '.join(self.columns)}.",
                    field="data.where",
                )
        self.recognised_as = describe(self.columns, self.mapping, samples[0] if samples else None)

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
        maker = RowMaker(self.mapping, RowImages(self._images, self._reader))
        for record in self._reader.between(*self.bounds()):
            if isinstance(record, BadRow):
                yield record
                continue
            if any(str(record.values.get(name)) != value for name, value in self._where.items()):
                continue
            try:
                yield maker.row(record.values)
            except DataError as error:
                yield BadRow(record.line, error.message[:LONGEST_REASON].rstrip("."), error.field)
            except RecursionError:
                yield BadRow(record.line, "values are nested too deeply")

    def preview(self, n: int = 5) -> Preview:
        """Read the first `n` good rows and the bad ones on the way (at most `10 * n` in all)."""
        rows: list[Row] = []
        bad: list[BadRow] = []
        for row in islice(self.rows(), 10 * n):
            if isinstance(row, BadRow):
                bad.append(row)
            else:
                rows.append(row)
            if len(rows) == n:
                break
        return Preview(rows, bad)


def open_source(
    spec: str,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    workspace: Workspace,
    split_field: str = "data.train",
    where: Mapping[str, object] | None = None,
) -> Source:
    """Open a source and recognise its format; reads only its first rows.

    Args:
        spec: A file, a folder, `exports/<name>`, `embedded:<set>` or a hub id
            (`owner/name[:config][@revision]`).
        split: `train`, `evaluation`, …, or a slice such as `train[:10%]`; None: train.
        columns: Role → column, overruling what is recognised.
        split_field: The setting to name when the split is at fault.
        where: Column → value that a row must have to be read.

    Raises:
        DataError: With `field` `data.source`, `split_field`, `data.columns.<role>` or
            `data.where`.
    """
    slice_of = parse_split(split, split_field) if split else None
    name = slice_of.name if slice_of else None
    reader = open_reader(spec, name, workspace, split_field)
    return Source(reader, slice_of, ImageStore(workspace), columns, where)
