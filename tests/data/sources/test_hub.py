"""Datasets of the hub: streamed by split, slice and revision; refusals in sentences."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data.sources.hub import HubReader
from tests.data.conftest import QA, png
from tests.data.hub import serving

HUB_TALK = """
import json
from studio.data.sources import open_source
from studio.core.errors import DataError
from studio.core.paths import Workspace
place, said = Workspace.locate(), []
for spec, split in [("owner/charts", "train[1:3]"), ("owner/charts@v1", None),
                    ("owner/charts", "train[:50%]"),
                    ("owner/charts", "test"), ("owner/charts", "nope"),
                    ("owner/charts@nope", None), ("owner/none", None)]:
    try:
        opened = open_source(spec, split=split, workspace=place)
        rows = [[row.question, len(row.images)] for row in opened.rows()]
        said.append([opened.recognised_as, list(opened.splits), rows, opened.count()])
    except DataError as error:
        said.append(str(error))
print(json.dumps(said))
"""


def hub_rows(name: str, count: int) -> bytes:
    rows = [{"image": {"bytes": png(), "path": "a.png"}, "query": f"{name} {n}?", "label": [str(n)]}
            for n in range(count)]  # fmt: skip
    out = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue().to_pybytes()


def test_a_hub_dataset_over_http_by_split_slice_and_revision(tmp_path):
    """In a process of its own: the hub's address is read when its library is imported."""
    newest = {"data/train-00000-of-00001.parquet": hub_rows("new", 6),
              "data/test-00000-of-00001.parquet": hub_rows("held", 1)}  # fmt: skip
    revisions = {"main": newest, "v1": {"data/train-00000-of-00001.parquet": hub_rows("old", 2)}}
    with serving("owner/charts", revisions) as (address, asked):
        env = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hub"), "no_proxy": "127.0.0.1",
               "STUDIO_WORKSPACE": str(tmp_path / "workspace"), "OMP_NUM_THREADS": "1"}  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", HUB_TALK], capture_output=True, text=True, env=env, check=False
        )
    assert done.stdout, done.stderr[-2000:]
    sliced, old, half, held, no_split, no_revision, nothing = json.loads(done.stdout)
    recognised = "ChartQA questions and answers"
    assert sliced == [recognised, ["train", "test"], [["new 1?", 1], ["new 2?", 1]], 2]
    assert old == [recognised, ["train"], [["old 0?", 1], ["old 1?", 1]], 2]
    assert half[2:] == [[[f"new {n}?", 1] for n in range(3)], 3], "counted by the files' ends"
    assert held[2] == [["held 0?", 1]]
    assert no_split.startswith("data.train: There is no split 'nope'")
    assert "no revision 'nope'" in no_revision and "'owner/none'" in nothing
    fetched = [line for line in asked if ".parquet" in line]
    assert all("bytes=" in line for line in fetched), "streamed, never downloaded as a whole"
    assert not any("/resolve/main/" in line for line in asked), "every file is of one commit"


def test_a_share_of_a_hub_dataset_of_unknown_size_is_refused():
    reader = HubReader(label="x", path="owner/name", split_field="data.evaluation")
    assert reader.known_count() is None
    with pytest.raises(DataError, match="does not say how many rows") as caught:
        reader.count()
    assert caught.value.field == "data.evaluation" and "train[:1000]" in caught.value.remedy


def test_a_hub_that_is_lost_half_way_is_a_sentence():
    from huggingface_hub.errors import HTTPError

    def broken():
        yield QA
        raise HTTPError("the server went away")

    rows = HubReader(label="x", path="owner/name", stream=broken()).records()
    assert next(rows).values == QA
    with pytest.raises(DataError, match=r"cannot be reached .*went away"):
        next(rows)


def test_an_offline_hub_is_a_sentence(tmp_path):
    """In a process of its own: offline mode is read when the hub's library is imported."""
    code = (
        "from studio.core.paths import Workspace; from studio.data.sources import open_source;"
        "from studio.core.errors import DataError\n"
        "try: open_source('nobody/nothing', workspace=Workspace.locate())\n"
        "except DataError as error: print(error.field, error.remedy)"
    )
    env = {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent", "STUDIO_WORKSPACE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    assert done.stdout.startswith("data.source "), done.stderr[-500:]
