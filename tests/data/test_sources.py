"""Every kind of source: files, folders, Arrow, the embedded samples, the hub."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict, Features, Image, Value

from studio.annotation import AnnotationStore
from studio.annotation.library.sources import import_source
from studio.core.errors import DataError
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from studio.data.sources.hub import HubReader
from tests.data.conftest import png
from tests.data.hub import serving

QA = {"image": "a.png", "question": "q", "answer": "a"}


def good(source) -> list[Row]:
    return [row for row in source.rows() if isinstance(row, Row)]


def test_damaged_lines_are_named_and_the_others_read(jsonl, workspace):
    path = jsonl(
        b"\xef\xbb\xbf" + json.dumps(QA).encode(),
        "not json",
        b'{"image": "a.png", "question": "\xff", "answer": "a"}',
        '{"image": "a.png", "image": "b.png", "question": "q", "answer": "a"}',
        '{"image": "a.png", "question": "q", "answer": NaN}',
        "[1]",
        "",
        "[" * 100_000,
        {**QA, "question": "one � more"},
    )
    source = open_source(path, workspace=workspace)
    rows = list(source.rows())
    bad = {row.line: row.reason for row in rows if isinstance(row, BadRow)}
    assert set(bad) == {2, 3, 4, 5, 6, 8}
    assert "appears twice" in bad[4] and "UTF-8" in bad[3]
    assert [row.question for row in rows if isinstance(row, Row)] == ["q", "one � more"]


def test_an_overlong_line_is_skipped_without_being_kept(jsonl, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.sources.json_files.MAX_LINE", 200)
    path = jsonl(QA, {**QA, "answer": "a" * 1000}, {**QA, "question": "last"})
    rows = list(open_source(path, workspace=workspace).rows())
    assert [type(row) for row in rows] == [Row, BadRow, Row]
    assert rows[1].line == 2


def test_json_lists(folder, workspace):
    (folder / "rows.json").write_text(json.dumps({"data": [QA, 5], "version": "1"}))
    rows = list(open_source(str(folder / "rows.json"), workspace=workspace).rows())
    assert [type(row) for row in rows] == [Row, BadRow]
    (folder / "bad.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        open_source(str(folder / "bad.json"), workspace=workspace)


@pytest.mark.parametrize(("name", "mark"), [("r.csv", ","), ("s.csv", ";"), ("t.tsv", "\t")])
def test_delimited_files(folder, workspace, name, mark):
    lines = [("image", "question", "answer"), ("a.png", '"two\nlines"', "=1+1"), ("a.png", "q")]
    (folder / name).write_text("\ufeff" + "\n".join(mark.join(line) for line in lines))
    rows = list(open_source(str(folder / name), workspace=workspace).rows())
    assert rows[0].question == "two\nlines" and rows[0].completion.text == "=1+1"
    assert isinstance(rows[1], BadRow) and "2 cells under 3" in rows[1].reason
    assert rows[1].line == 4, "as an editor counts them, heading and line breaks included"


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


def test_saved_and_sharded_datasets(tmp_path, workspace):
    types = Features({"image": Image(), "question": Value("string"), "answer": Value("string")})
    rows = {"image": [{"bytes": png(), "path": None}] * 4, "question": list("wxyz"),
            "answer": ["a"] * 4}  # fmt: skip
    dataset = Dataset.from_dict(rows, features=types)
    DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "saved")
    saved = str(tmp_path / "saved")
    assert [row.question for row in good(open_source(saved, workspace=workspace))] == list("wxyz")
    assert len(good(open_source(saved, split="test", workspace=workspace))) == 1
    (tmp_path / "sharded" / "data").mkdir(parents=True)
    for shard in range(2):
        part = dataset.shard(2, shard)
        part.to_parquet(tmp_path / "sharded" / "data" / f"train-0000{shard}-of-00002.parquet")
    source = open_source(str(tmp_path / "sharded"), workspace=workspace)
    assert source.count() == 4 and len(good(source)) == 4


def test_a_folder_of_images_with_and_without_captions(folder, workspace):
    (folder / "a.txt").write_text("a red square")
    (folder / "broken.png").write_bytes(b"no image")
    source = open_source(str(folder), workspace=workspace)
    assert source.recognised_as == "Images with captions"
    rows = list(source.rows())
    assert rows[0].external_id == "a.png" and rows[0].completion.text == "a red square"
    assert rows[1].completion is None and rows[1].question == "Describe this image."
    assert isinstance(rows[2], BadRow) and isinstance(rows[3], Row)


def test_an_image_folder_with_metadata(folder, workspace, jsonl):
    jsonl({"file_name": "a.png", "text": "red"}, name="metadata.jsonl")
    (row,) = open_source(str(folder), workspace=workspace).rows()
    assert row.completion.text == "red" and len(row.images) == 1


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (None, "0123456789"), ("train", "0123456789"), ("train[:10%]", "0"), ("train[8:]", "89"),
        ("train[2:4]", "23"), ("train[-2:]", "89"), ("train[50%:70%]", "56"), ("train[9:99]", "9"),
    ],
)  # fmt: skip
def test_slices(jsonl, workspace, split, expected):
    path = jsonl(*({**QA, "question": str(number)} for number in range(10)))
    source = open_source(path, split=split, workspace=workspace)
    assert "".join(row.question for row in source.rows()) == expected
    assert source.count() == len(expected)


@pytest.mark.parametrize("split", ["evaluation", "test", "nope", "train[", "train[a:b]", ""])
def test_splits_that_are_not_there_are_refused(jsonl, workspace, split):
    path = jsonl(QA)
    if not split:
        assert open_source(path, split=split, workspace=workspace).count() == 1
        return
    with pytest.raises(DataError) as caught:
        open_source(path, split=split, workspace=workspace, split_field="data.evaluation")
    assert caught.value.field == "data.evaluation"


def test_evaluation_names_stand_for_one_another(jsonl, folder, workspace):
    jsonl(QA, name="train.jsonl")
    jsonl({**QA, "question": "held"}, name="validation.jsonl")
    for name in ("evaluation", "val", "test", "validation"):
        (row,) = open_source(str(folder), split=name, workspace=workspace).rows()
        assert row.question == "held"


def test_folders_without_end_are_refused(folder, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.sources.folder.MAX_ENTRIES", 2)
    with pytest.raises(DataError, match="more than 2 files"):
        open_source(str(folder), workspace=workspace)


def test_several_files_ask_for_a_choice(jsonl, folder, workspace):
    jsonl(QA, name="one.jsonl")
    jsonl(QA, name="two.jsonl")
    with pytest.raises(DataError, match=r"one\.jsonl, two\.jsonl"):
        open_source(str(folder), workspace=workspace)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "nope.jsonl",
        "embedded:nope",
        "exports/nope",
        "/no/such/folder",
        "bad id!",
        "x" * 300,
        "a\0b",
        f"/{'x' * 300}.jsonl",
    ],
)
def test_sources_that_are_not_there_are_refused(workspace, spec):
    with pytest.raises(DataError) as caught:
        open_source(spec, workspace=workspace)
    assert caught.value.field == "data.source" and caught.value.remedy


@pytest.mark.parametrize(
    ("name", "has"),
    [("sft", "completion"), ("preferences", "chosen"), ("unlabelled", "candidates"),
     ("heldout", "completion")],
)  # fmt: skip
def test_the_embedded_samples_are_whole(workspace, name, has):
    source = open_source(f"embedded:{name}", split="train[:10]", workspace=workspace)
    rows = list(source.rows())
    assert len(rows) == 10
    assert all(isinstance(row, Row) and getattr(row, has) for row in rows)


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


@pytest.mark.parametrize(("name", "rows"), [("chartqa", 359), ("multichart", 24)])
def test_real_data_is_imported_whole(shared, workspace, name, rows):
    store = AnnotationStore(workspace.database_url)
    report = import_source(str(shared / name), workspace, store)
    assert (report.added, report.bad_count) == (rows, 0)
    found = store.browse(limit=rows + 1)
    assert len({item.external_id for item in found}) == rows
    for item in found:
        places = sum(part.type == "image" for message in item.prompt for part in message.parts)
        assert places == len(item.images) >= 1 and item.candidates
    store.close()


def test_importing_the_data_layer_brings_no_torch():
    code = (
        "import sys, studio.data.trl_conversion, studio.data.frozen_dataset, studio.data.sources, "
        "studio.annotation.library.sources\n"
        "print({'torch', 'transformers', 'trl', 'datasets', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
