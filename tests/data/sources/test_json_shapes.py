"""The rows in whatever JSON people have."""

from __future__ import annotations

import pytest

from studio.core.errors import DataError
from studio.data.schema import BadRow
from studio.data.sources.json_shapes import UNNAMED, rows_by_split

A, B = {"question": "a", "answer": "1"}, {"question": "b", "answer": "2"}
TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
SERVED = [{"row_idx": n, "row": row, "truncated_cells": []} for n, row in enumerate((A, B))]


@pytest.mark.parametrize(
    "value",
    [
        [A, B],
        {"data": [A, B]},
        {"version": "1", "info": {"x": 1}, "rows": [A, B], "tags": ["x", "y"]},
        {"result": {"items": [A, B]}},
        {"features": [{"name": "question"}], "rows": SERVED},
        {"rows": SERVED, "partial": False},
        {"features": [], "rows": [A, B]},
        {"question": ["a", "b"], "answer": ["1", "2"]},
        {"question": {"0": "a", "1": "b"}, "answer": {"0": "1", "1": "2"}},
        {"columns": ["question", "answer"], "index": [0, 1], "data": [["a", "1"], ["b", "2"]]},
        {"schema": {"fields": []}, "data": [A, B]},
    ],
)
def test_lists_of_rows_however_they_are_wrapped(value):
    assert rows_by_split(value, "x.json") == {UNNAMED: [A, B]}


@pytest.mark.parametrize(
    "row",
    [
        A,
        {"image": "a.png", "conversations": [{"from": "human", "value": "q"}]},
        {"messages": TURNS, "images": ["a.png", "b.png"]},
        {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": TURNS[1:]},
        {"chosen": TURNS[1], "rejected": TURNS[1], "prompt": "q"},
        {"question": "q", "answers": [{"answer": "x"}, {"answer": "y"}]},
        {"id": 5, "unknown": "field"},
    ],
)
def test_one_object_is_one_row(row):
    assert rows_by_split(row, "x.json") == {UNNAMED: [row]}


def test_objects_by_id_are_rows_with_that_id():
    value = {"17": {**A, "split": "test"}, "18": B}
    assert rows_by_split(value, "x.json")[UNNAMED] == [
        {"id": "17", **A, "split": "test"},
        {"id": "18", **B},
    ]
    assert rows_by_split({"x": {"id": 1, **A}, "y": {"id": 2, **B}}, "x")[UNNAMED][0]["key"] == "x"


def test_some_objects_by_id_may_have_other_fields():
    value = {f"x{number}": dict(A) for number in range(20)} | {"odd": {"note": 1}}
    rows = rows_by_split(value, "x")[UNNAMED]
    assert len(rows) == 21 and rows[-1] == {"id": "odd", "note": 1}
    settings = {"model": {"name": "a"}, "data": {"path": "b"}}
    assert rows_by_split(settings, "x")[UNNAMED] == [settings]


def test_images_of_scienceqa_lie_in_folders_named_by_split_and_id():
    value = {str(n): {**A, "image": "image.png", "split": "val"} for n in (1, 2)}
    assert rows_by_split(value, "x")[UNNAMED][1]["image"] == "val/2/image.png"


def test_lists_named_after_splits_are_splits():
    value = {"version": 1, "train": [A, B], "Validation": [B], "test": [A]}
    assert rows_by_split(value, "x") == {"train": [A, B], "validation": [B], "test": [A]}
    assert rows_by_split({"training": [A]}, "x") == {"train": [A]}


def test_two_lists_of_rows_are_both_named():
    with pytest.raises(DataError, match=r"'people' \(2\) and 'places' \(1\)"):
        rows_by_split({"people": [A, B], "places": [A], "n": 1}, "x.json")


def test_a_row_that_the_viewer_cut_is_named():
    cut = [{**SERVED[0], "truncated_cells": ["question"]}]
    (row,) = rows_by_split({"rows": cut}, "x.json")[UNNAMED]
    assert isinstance(row, BadRow) and "question" in row.reason


@pytest.mark.parametrize("value", [5, "text", None, {}])
def test_what_holds_no_rows_is_refused(value):
    with pytest.raises(DataError, match="holds no rows"):
        rows_by_split(value, "x.json")
