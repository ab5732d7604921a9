"""One data file: its kind by its ending, and its split by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import DataError
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
