"""Splits, slices of them, and names that stand for one another."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.data.sources import open_source
from tests.data.conftest import QA


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
