"""Single files that are packed, within limits."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data.sources import open_source
from studio.data.sources.compression import MAX_RATIO, SMALL
from tests.data.conftest import QA, good

PACKED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, "zstd", asbytes=True),
}


@pytest.mark.parametrize("ending", PACKED)
def test_packed_files_are_read_with_the_images_beside_them(folder, workspace, ending):
    lines = "".join(json.dumps({**QA, "question": f"q{n}"}) + "\n" for n in range(3))
    path = folder / f"rows.jsonl{ending}"
    path.write_bytes(PACKED[ending](lines.encode()))
    for _ in range(2):  # unpacked, then found unpacked
        source = open_source(str(path), workspace=workspace)
        assert source.label == f"JSONL file rows.jsonl{ending}"
        assert [row.question for row in good(source)] == ["q0", "q1", "q2"]
    table = pa.Table.from_pylist([QA])
    pq.write_table(table, folder / "one.parquet")
    path = folder / f"one.parquet{ending}"
    path.write_bytes(PACKED[ending]((folder / "one.parquet").read_bytes()))
    assert len(good(open_source(str(path), workspace=workspace))) == 1


def test_packed_files_of_a_folder_are_read_one_after_the_other(tmp_path, folder, workspace):
    for number in range(6):  # more than are kept unpacked
        line = json.dumps({**QA, "question": f"q{number}"}).encode()
        (folder / f"train-{number}.jsonl.gz").write_bytes(gzip.compress(line))
    rows = good(open_source(str(folder), workspace=workspace))
    assert [row.question for row in rows] == [f"q{number}" for number in range(6)]


@pytest.mark.parametrize("ending", PACKED)
def test_a_file_that_unpacks_to_far_more_is_refused(tmp_path, workspace, ending):
    path = tmp_path / f"zeros.jsonl{ending}"
    path.write_bytes(PACKED[ending](bytes(SMALL * MAX_RATIO // 4)))
    with pytest.raises(DataError, match=f"more than {MAX_RATIO} times") as caught:
        open_source(str(path), workspace=workspace)
    assert caught.value.field == "data.source" and not list(workspace.unpacked.glob("*"))


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("damage", [lambda b: b"not packed at all", lambda b: b[:-9]])
def test_damaged_files_are_refused(tmp_path, workspace, ending, damage):
    content = PACKED[ending](json.dumps([n**3 for n in range(2000)]).encode())
    path = tmp_path / f"rows.json{ending}"
    path.write_bytes(damage(content))
    with pytest.raises(DataError, match="damaged"):
        open_source(str(path), workspace=workspace)
    assert not list(workspace.unpacked.glob("*"))


def test_a_file_for_which_there_is_no_room_is_refused(tmp_path, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.sources.compression.room", lambda workspace: 100)
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(list(range(500))).encode()))
    with pytest.raises(DataError, match="There is room for"):
        open_source(str(path), workspace=workspace)
