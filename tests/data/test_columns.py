"""Columns that are mapped by hand, and wrong mappings."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from tests.data.conftest import parts


def test_a_mapping_wins_and_the_rest_is_still_recognised(read):
    _, (row,) = read(
        {"picture_a": "a.png", "question": "wrong", "ask": "right", "answer": "x"},
        columns={"image": "picture_a", "prompt": "ask"},
    )
    assert parts(row) == ["<>", "right"] and row.completion.text == "x"


def test_an_empty_name_takes_a_column_away(read):
    record = {"image": "a.png", "question": "q", "label": "x", "answer": "y"}
    name, (row,) = read(record, columns={"answer": ""})
    assert row.completion is None and name == "Questions without answers"
    assert (row.meta["label"], row.meta["answer"]) == ("x", "y")
    _, (row,) = read(record, columns={"image": "", "label": "label"})
    assert row.images == () and row.completion.text == "x"


@pytest.mark.parametrize(
    ("columns", "field", "hint"),
    [
        ({"answer": "lable"}, "data.columns.answer", "'label'"),
        ({"imge": "image"}, "data.columns.imge", "'image'"),
    ],
)
def test_a_wrong_mapping_names_the_field_and_the_nearest(read, columns, field, hint):
    with pytest.raises(DataError) as caught:
        read({"image": "a.png", "query": "q", "label": "x"}, columns=columns)
    assert caught.value.field == field
    assert hint in str(caught.value)
