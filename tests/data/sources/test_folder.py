"""Folders of data files, of images, and of saved datasets."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict, Features, Image, Value

from studio.core.errors import DataError
from studio.data.schema import BadRow, Row
from studio.data.sources import open_source
from tests.data.conftest import QA, good, png


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


def test_folders_without_end_are_refused(folder, workspace, monkeypatch):
    monkeypatch.setattr("studio.data.sources.folder.MAX_ENTRIES", 2)
    with pytest.raises(DataError, match="more than 2 files"):
        open_source(str(folder), workspace=workspace)


def test_several_files_ask_for_a_choice(jsonl, folder, workspace):
    jsonl(QA, name="one.jsonl")
    jsonl(QA, name="two.jsonl")
    with pytest.raises(DataError, match=r"one\.jsonl, two\.jsonl"):
        open_source(str(folder), workspace=workspace)
