"""Frozen rows read back the same, and other contents get another folder."""

from __future__ import annotations

import json

import pytest
from PIL.Image import Image
from trl.data_utils import prepare_multimodal_messages

from studio.core.errors import DataError
from studio.data.frozen_dataset import freeze, list_exports
from studio.data.schema import plain_row
from studio.data.sources import open_source
from studio.data.trl_conversion import load_training_data
from tests.data.conftest import conversation


def test_an_export_reads_back_as_the_same_rows(row, workspace, images):
    rows = [row(colour, question=f"q{n}", chosen=f"yes {n}", rejected="no") for n, colour in
            enumerate(["red", "green", "blue", "black", "white"])]  # fmt: skip
    rows[0].meta["kind"] = "count"
    path = freeze(rows, "My pairs", workspace, {"policy": {"ties": "drop"}})
    assert freeze(rows, "My pairs", workspace) == path
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["policy"] == {"ties": "drop"} and sum(manifest["rows"].values()) == 5
    (export,) = list_exports(workspace)
    assert export.method == "dpo" and export.spec == f"exports/{path.name}"
    back = []
    for split in export.rows:
        back += open_source("exports/My-pairs", split=split, workspace=workspace).rows()
    assert sorted(back, key=lambda r: r.external_id) == sorted(rows, key=lambda r: r.external_id)


def test_an_export_trains_and_loads_elsewhere(row, workspace, tmp_path):
    from datasets import load_dataset

    rows = [row("red", completion="x"), row("blue", completion="y")]
    path = freeze(rows, "sft", workspace)
    train, held = load_training_data(
        source=f"exports/{path.name}", evaluation="evaluation", method="sft", workspace=workspace
    )
    assert (train.used, held.used) == (1, 1)
    loaded = load_dataset("parquet", data_files=str(path / "*.parquet"), cache_dir=tmp_path / "c")
    example = loaded["train"][0]
    assert isinstance(example["images"][0], Image)
    prepare_multimodal_messages(example["prompt"], images=example["images"])


def test_other_contents_get_another_folder(row, workspace):
    one = freeze([row("red", completion="x")], "n", workspace)
    two = freeze([row("red", completion="y")], "n", workspace)
    assert one != two
    with pytest.raises(DataError):
        freeze([], "n", workspace)
    with pytest.raises(DataError, match="empty"):
        freeze([row("red", chosen="a", rejected=" ")], "n", workspace)
    assert not [path for path in workspace.exports.iterdir() if path.name.startswith(".")]


def test_an_export_keeps_the_weights_and_its_name_without_any(images, workspace):
    weighed = freeze([conversation(images, False)], "talk", workspace, evaluation_share=0)
    (back,) = open_source(f"exports/{weighed.name}", split="train", workspace=workspace).rows()
    assert [turn.scored for turn in back.prompt] == [True, False, True]
    plain = freeze([conversation(images)], "talk", workspace, evaluation_share=0)
    (back,) = open_source(f"exports/{plain.name}", split="train", workspace=workspace).rows()
    assert [turn.scored for turn in back.prompt] == [True, True, True] and plain != weighed
    assert "scored" not in json.dumps(plain_row(back))
