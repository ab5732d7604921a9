"""The rows to be checked: of a source, in all its splits, or of a dataset of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from studio.core.paths import Workspace
from studio.data.schema import BadRow, FieldUse, Row, joined_fields
from studio.data.sources import Source, open_source

TRAIN = "train"


@dataclass(frozen=True)
class Entry:
    """A row, or a damaged one, with its number and the split it is in."""

    number: int
    split: str
    row: Row | BadRow


@dataclass(frozen=True)
class NumberedRows:
    """Rows that can be gone through once.

    Attributes:
        total: How many there are, if known.
        numbers: What the numbers of the entries are.
        fields: Tells what became of every column and nested field of the rows gone through.
    """

    source: str
    splits: tuple[str, ...]
    total: int | None
    entries: Callable[[], Iterator[Entry]]
    numbers: Literal["rows", "items"] = "rows"
    fields: Callable[[], list[FieldUse]] = list


def source_rows(
    spec: str,
    workspace: Workspace,
    *,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> NumberedRows:
    """Read the rows of a source, numbered through all its splits from 1.

    Args:
        spec: As for `open_source`.
        split: Only this split, or a slice of one.
        limit: At most this many rows of each split.

    Raises:
        DataError: It cannot be opened or recognised.
    """

    def opened(name: str | None) -> Source:
        return open_source(spec, split=name, columns=columns, workspace=workspace)

    first = opened(split)
    names = (split,) if split else sorted(first.splits, key=lambda name: name != TRAIN)
    sources = {name: opened(name) for name in names} if len(names) > 1 else {names[0]: first}
    counts = [source.count() for source in sources.values()]
    known = [count for count in counts if count is not None]
    total = None
    if len(known) == len(counts):
        total = sum(min(count, limit or count) for count in known)

    def entries() -> Iterator[Entry]:
        before = 0
        for name, source in sources.items():
            last = before
            for last, row in enumerate(islice(source.rows(), limit), before + 1):
                yield Entry(last, name, row)
            before = last

    def fields() -> list[FieldUse]:
        return joined_fields([source.fields() for source in sources.values()])

    return NumberedRows(first.label, tuple(sources), total, entries, fields=fields)
