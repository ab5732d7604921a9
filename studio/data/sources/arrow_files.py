"""Parquet and Arrow files, read a few rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.core.errors import first_line, source_error
from studio.data.schema import BadRow
from studio.data.sources.reader import Reader, Record

if TYPE_CHECKING:
    from pyarrow import RecordBatch

BATCH = 16
UNTOLD = (ValueError, OverflowError)
"""What values raise that Python has none for: a time before year 1, JSON that is none."""


@dataclass
class ArrowReader(Reader):
    """One split in one or several files; image bytes stay encoded."""

    paths: tuple[Path, ...] = ()

    def records(self) -> Iterator[Record | BadRow]:
        line = 0
        for path in self.paths:
            for batch in _batches(path):
                for values in _rows(batch):
                    line += 1
                    if isinstance(values, str):
                        yield BadRow(line, values)
                    else:
                        yield Record(line, values)

    def count(self) -> int:
        import pyarrow.parquet as pq

        if not all(path.suffix.lower() == ".parquet" for path in self.paths):
            return super().count()
        total = 0
        for path in self.paths:
            with _readable(path):
                total += pq.read_metadata(path).num_rows
        return total


def _batches(path: Path) -> Iterator[RecordBatch]:
    """What is in a file, a few rows at a time, each batch checked as a whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _readable(path):
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as parquet:
                for batch in parquet.iter_batches(batch_size=BATCH):
                    batch.validate(full=True)
                    yield batch
            return
        with pa.memory_map(str(path)) as handle:
            try:
                batches = iter(pa.ipc.open_stream(handle))
            except pa.ArrowInvalid:
                reader = pa.ipc.open_file(handle)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            for batch in batches:
                batch.validate(full=True)  # offsets of a damaged file may lead anywhere
                for start in range(0, batch.num_rows, BATCH):
                    yield batch.slice(start, BATCH)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What Arrow says of a file, as a reason."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # What Arrow says of damaged data is in the sentence whole: the log needs no traceback.
        is_damage = isinstance(error, pa.ArrowInvalid) or getattr(error, "errno", 0) is None
        raise source_error(
            f"{path.name} is no readable {path.suffix[1:]} file: {first_line(error)}",
            "Write or download it again.",
        ) from (None if is_damage else error)


def _rows(batch: RecordBatch) -> Iterator[dict[str, object] | str]:
    """The rows of a checked batch; of one that cannot be told in Python's values, the reason."""
    try:
        whole = batch.to_pylist()
    except UNTOLD:
        whole = None
    for number in range(batch.num_rows):
        try:
            values = whole[number] if whole else batch.slice(number, 1).to_pylist()[0]
            yield _plain(values, batch.schema)
        except UNTOLD as error:
            yield f"a value that cannot be read: {first_line(error)}"


def _plain(values: dict[str, object], schema) -> dict[str, object]:
    """Columns of JSON text as what they stand for."""
    for field in schema:
        if str(field.type).startswith("extension<arrow.json"):
            text = values[field.name]
            values[field.name] = json.loads(text) if isinstance(text, str) else text
    return values
