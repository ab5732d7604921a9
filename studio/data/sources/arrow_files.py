"""Parquet and Arrow files, read a few rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.data.schema import BadRow
from studio.data.sources.base import Reader, Record
from studio.errors import DataError, first_line

BATCH = 16


@dataclass
class ArrowReader(Reader):
    """One split in one or several files; image bytes stay encoded."""

    paths: tuple[Path, ...] = ()

    def records(self) -> Iterator[Record | BadRow]:
        line = 0
        for path in self.paths:
            for batch in _batches(path):
                for values in batch.to_pylist():
                    line += 1
                    yield Record(line, _plain(values, batch.schema))

    def count(self) -> int:
        import pyarrow.parquet as pq

        if all(path.suffix == ".parquet" for path in self.paths):
            return sum(pq.read_metadata(path).num_rows for path in self.paths)
        return super().count()


def _batches(path: Path) -> Iterator:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as parquet:
                yield from parquet.iter_batches(batch_size=BATCH)
            return
        with pa.memory_map(str(path)) as handle:
            try:
                batches = iter(pa.ipc.open_stream(handle))
            except pa.ArrowInvalid:
                reader = pa.ipc.open_file(handle)
                batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            for batch in batches:
                for start in range(0, batch.num_rows, BATCH):
                    yield batch.slice(start, BATCH)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path.name} is no readable {path.suffix[1:]} file: {first_line(error)}",
            remedy="Write or download it again.",
            field="data.source",
        ) from error


def _plain(values: dict[str, object], schema) -> dict[str, object]:
    """Columns of JSON text as what they stand for."""
    for field in schema:
        if str(field.type).startswith("extension<arrow.json"):
            text = values[field.name]
            values[field.name] = json.loads(text) if isinstance(text, str) else text
    return values
