"""Arrow and Parquet files that are not what they say: told, never followed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow
from studio.data.sources import open_source


def text_column(content: bytes, *offsets: int) -> pa.Table:
    """A column of texts that lie at `offsets`, which nobody has checked."""
    places = pa.py_buffer(np.array(offsets, dtype=np.int32).tobytes())
    texts = pa.StringArray.from_buffers(len(offsets) - 1, places, pa.py_buffer(content))
    return pa.table({"question": texts})


BACK, NO_TEXT = text_column(b"what?", 0, 5, 2), text_column(b"wh\xffat", 0, 5)


@pytest.mark.parametrize(
    ("table", "ending"), [(BACK, "arrow"), (NO_TEXT, "arrow"), (NO_TEXT, "parquet")]
)
def test_what_a_damaged_file_points_at_is_never_followed(tmp_path, workspace, table, ending):
    path = tmp_path / f"damaged.{ending}"
    if ending == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(DataError, match=f"no readable {ending} file"):
        list(open_source(str(path), workspace=workspace).rows())


def test_a_value_that_python_cannot_hold_costs_its_row_only(tmp_path, workspace):
    times = pa.array([0, 10**15], pa.timestamp("ms"))
    pq.write_table(
        pa.table({"question": ["one?", "two?"], "at": times}), tmp_path / "times.parquet"
    )
    first, second = open_source(str(tmp_path / "times.parquet"), workspace=workspace).rows()
    assert first.question == "one?" and isinstance(second, BadRow) and second.line == 2
    assert "cannot be read" in second.reason
