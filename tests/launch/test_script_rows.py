"""Rows that go along with a script: those the trainer gets, with their images."""

import io

import pyarrow.parquet as pq
import pytest
from PIL import Image

from studio.data.template_adaptation import Fit
from studio.launch import script_rows
from studio.launch.script_rows import write_rows
from tests.launch.small_run import SMALL, config

DATA = {"source": "embedded:sft", "train": "train[:6]"}


def recipe(**left_out):
    return {"fit": Fit().to_json(), "special_tokens": [], "left_out": left_out}


def settings(**data):
    values = {**config().model_dump(), "data": {**SMALL["data"], **DATA, **data}}
    return config().model_validate(values)


@pytest.mark.parametrize("group", [2, 50])
def test_rows_that_the_run_leaves_out_are_left_out(workspace, tmp_path, monkeypatch, group):
    monkeypatch.setattr(script_rows, "ROWS_PER_GROUP", group)
    assert write_rows(settings(), workspace, tmp_path / "all", recipe()) == ["train"]
    whole = pq.read_table(tmp_path / "all" / "train.parquet").to_pylist()
    assert len(whole) == 6
    less = recipe(train={"1": "too long", "4": "too long"})
    write_rows(settings(), workspace, tmp_path / "less", less)
    left = pq.read_table(tmp_path / "less" / "train.parquet").to_pylist()
    assert left == [whole[place] for place in (0, 2, 3, 5)]
    assert [path.name for path in (tmp_path / "less").iterdir()] == ["train.parquet"]


def test_images_are_whole_pictures_inside(workspace, tmp_path):
    held = settings(evaluation="evaluation[:2]")
    assert write_rows(held, workspace, tmp_path, recipe()) == ["train", "evaluation"]
    for row in pq.read_table(tmp_path / "evaluation.parquet").to_pylist():
        (image,) = row["images"]
        assert Image.open(io.BytesIO(image["bytes"])).format == "PNG"
