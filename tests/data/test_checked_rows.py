"""Rows of a source, numbered through all its splits."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.data.checked_rows import source_rows
from studio.data.schema import BadRow
from tests.data.conftest import QA


@pytest.fixture
def splits(jsonl, folder):
    jsonl({**QA, "question": "held"}, name="test.jsonl")
    jsonl({**QA, "question": "one"}, "broken", {**QA, "question": "three"}, name="train.jsonl")
    return str(folder)


def test_the_training_rows_come_first_and_damaged_rows_have_a_number(splits, workspace):
    rows = source_rows(splits, workspace)
    entries = list(rows.entries())
    assert rows.splits == ("train", "test") and rows.total == 4
    assert [(one.number, one.split) for one in entries] == [
        (1, "train"), (2, "train"), (3, "train"), (4, "test"),
    ]  # fmt: skip
    assert isinstance(entries[1].row, BadRow) and entries[3].row.question == "held"


def test_a_limit_is_of_each_split_and_one_split_can_be_asked_for(splits, workspace):
    limited = source_rows(splits, workspace, limit=1)
    assert [one.number for one in limited.entries()] == [1, 2] and limited.total == 2
    held = source_rows(splits, workspace, split="test")
    assert [one.row.question for one in held.entries()] == ["held"] and held.splits == ("test",)
    with pytest.raises(DataError):
        source_rows(splits, workspace, split="none")
