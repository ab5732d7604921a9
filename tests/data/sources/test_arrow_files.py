"""Arrow and Parquet files: read in pieces, and refused where they are damaged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow
from studio.data.sources import open_source
from tests.data.conftest import png


def test_parquet_with_images_as_structs_bytes_and_names(folder, workspace):
    columns = {"question": ["q"], "answer": ["a"]}
    for name, value in (
        ("struct", {"bytes": png(), "path": None}),
        ("bytes", png()),
        ("name", "a.png"),
    ):
        path = folder / f"{name}.parquet"
        pq.write_table(pa.table({"image": [value], **columns}), path)
        (row,) = open_source(str(path), workspace=workspace).rows()
        assert len(row.images) == 1


def test_a_truncated_parquet_file_is_refused(folder, workspace):
    path = folder / "x.parquet"
    pq.write_table(pa.table({"image": [png()], "question": ["q"], "answer": ["a"]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"x\.parquet"):
        open_source(str(path), workspace=workspace)


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
