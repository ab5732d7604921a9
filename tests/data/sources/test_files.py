"""One data file: its kind by its ending, and its split by its name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather

from studio.core.errors import DataError
from studio.data.sources import registry
from studio.data.sources.files import existing_file, matches, open_reader, split_of
from tests.data.conftest import QA


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("test-00000-of-00001.parquet", "test"),
        ("validation.jsonl", "validation"),
        ("dev_rows.csv", "dev"),
        ("eval.part.json", "eval"),
        ("train-0.parquet", "train"),
        ("testing.jsonl", "train"),
        ("rows.jsonl", "train"),
    ],
)
def test_a_name_tells_its_split(name, split):
    assert split_of(Path(name)) == split


def test_a_held_out_file_may_be_trained_on_and_others_lack_the_split(jsonl, workspace):
    held = jsonl(QA, name="test.jsonl")
    for split in ("train", "test", "evaluation", None):
        assert open_reader(held, split, workspace, "data.train").splits == ("test",)
    with pytest.raises(DataError, match="no split 'held'"):
        open_reader(held, "held", workspace, "data.train")


def test_the_kind_is_that_of_the_ending_whatever_its_case(jsonl, workspace):
    assert matches("ROWS.JSONL", workspace) and matches("a.tsv", workspace)
    assert not matches("a.zip", workspace) and not matches("owner/name", workspace)
    assert open_reader(jsonl(QA), None, workspace, "data.train").label == "JSONL file rows.jsonl"


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="There is no file") as caught:
        existing_file(str(tmp_path / "none.jsonl"))
    assert caught.value.field == "data.source"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.xlsx", b"PK", "rows.xlsx is Excel, which is not read. Save the sheet as CSV."),
        ("rows.yaml", b"- a: 1", "is YAML, which is not read. Save the rows as JSON Lines"),
        ("rows.pkl", b"x", "is a pickle, which can run programs, which is not read."),
        ("rows.txt", b'{"a": 1}\n{"a": 2}\n', "it looks like JSON Lines. Name it rows.jsonl."),
        ("rows.txt", b'[{"a": 1}]', "it looks like JSON. Name it rows.json."),
        ("rows.txt", b"a,b\n1,2\n", "it looks like CSV. Name it rows.csv."),
        ("rows.txt", b"a\tb\n1\t2\n", "it looks like TSV. Name it rows.tsv."),
        ("rows.txt", b"just words", "files that end in .txt are not read. Read are .jsonl,"),
        ("rows", b"", "its name has no ending. Read are .jsonl"),
        ("rows.gz", b"x", "does not say what is packed in it. Name it after that, for instance"),
        ("a.png", b"x", "is an image, not a file of rows. Import the folder"),
        ("a.mp4", b"x", "is a video, which is not read. Save frames of it"),
    ],
)
def test_files_that_are_not_read_say_what_they_are(tmp_path, workspace, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        registry.open_reader(str(tmp_path / name), None, workspace)
    assert said in f"{caught.value.message} {caught.value.remedy}"


def test_feather_files_are_arrow_files(tmp_path, workspace):
    feather.write_feather(pa.table({"question": ["q"], "answer": ["a"]}), tmp_path / "r.feather")
    reader = open_reader(str(tmp_path / "r.feather"), None, workspace, "data.train")
    assert [record.values for record in reader.records()] == [{"question": "q", "answer": "a"}]
