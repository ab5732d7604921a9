"""Fields of records by their paths."""

from __future__ import annotations

import datetime

import pytest

from studio.data.record_fields import (
    get,
    is_missing,
    is_shallow,
    leaf_paths,
    parsed,
    plain,
    shape_of,
    without,
)

DEEP: list = []
for _ in range(400):
    DEEP = [DEEP]
RECORD = {
    "data": {"question": "q", "image.url": "a.png"},
    "completions": [{"response": "x", "by": {"name": "m"}}, {"response": "y"}],
    "a.b": 1,
}


@pytest.mark.parametrize("value", [None, "", " \n", "nan", "NULL", "None", float("nan"), [], [None, ""],
                                   {"bytes": None, "path": None}, b""])  # fmt: skip
def test_what_stands_for_no_value(value):
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, False, "no", "none of them", [0], {"a": 0}, b"x"])
def test_what_is_a_value(value):
    assert not is_missing(value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.question", "q"),
        ("data.image.url", "a.png"),
        ("completions[].response", ["x", "y"]),
        ("completions[].by.name", ["m", None]),
        ("a.b", 1),
        ("data.answer", None),
        ("nothing[].x", None),
    ],
)
def test_a_path_leads_to_its_value(path, value):
    assert get(RECORD, path) == value


def test_leaves_are_listed_once_each_and_missing_ones_are_not():
    assert list(leaf_paths({**RECORD, "empty": {"x": ""}})) == [
        "data.question", "data.image.url", "completions[].response", "completions[].by.name", "a.b",
    ]  # fmt: skip


def test_records_of_the_same_fields_have_one_shape():
    assert shape_of({"a": "x", "b": None}) == shape_of({"a": "y"})
    assert shape_of({"a": "x"}) != shape_of({"a": 1})
    assert shape_of({"a": [{"x": "1"}]}) != shape_of({"a": [{"x": "1"}, {"y": "1"}]})
    assert is_shallow(RECORD) and not is_shallow({"a": DEEP})


def test_taking_a_field_away_leaves_the_others_and_the_original():
    assert without(RECORD, "data.question")["data"] == {"image.url": "a.png"}
    assert without(RECORD, "a.b").keys() == {"data", "completions"}
    assert RECORD["data"]["question"] == "q"


def test_lists_and_objects_in_a_text_are_read_and_nothing_else():
    assert parsed(' [{"a": 1}] ') == [{"a": 1}]
    assert parsed("[not json]") is None and parsed("12") is None


def test_values_become_plain_json_or_say_why_not():
    day = datetime.date(2026, 1, 2)
    assert plain({"a": (1, day, float("nan"))}) == {"a": [1, "2026-01-02", None]}
    with pytest.raises(ValueError, match="binary"):
        plain([b"x"])
