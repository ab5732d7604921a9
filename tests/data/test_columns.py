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


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ("completion", {"label": 0}),
        ("completion", {"label": -1}),
        ("completion", {"label": "undesirable"}),
        ("response", {"label": "bad"}),
        ("completion", {"answer": "reject"}),
        ("answer", {"is_correct": False}),
        ("answer", {"correct": "no"}),
        ("answer", {"rating": "thumbs_down"}),
        ("答案", {"是否正确": "否"}),
    ],
)
def test_an_answer_that_is_called_bad_is_no_answer_to_learn(read, judged, said):
    _, (row,) = read({"image": "a.png", "question": "q", judged: "It is blue."} | said)
    assert row.completion is None and row.meta["verdict"] == "bad"


def test_the_number_of_a_choice_is_no_verdict(read):
    record = {"image": "a.png", "question": "q", "answer": "B", "correct": 1}
    _, (row,) = read(record | {"options": ["x", "y"]})
    assert row.completion.text == "B"


def test_the_verdict_on_another_text_is_none_on_the_answer(read):
    record = {"image": "a.png", "question": "q", "answer": "red", "response": "blue"}
    _, (row,) = read(record | {"is_correct": False})
    assert row.completion.text == "red"


@pytest.mark.parametrize("marks", [{"labels": [False, True]}, {"is_correct": [0, 1]}])
def test_answers_that_are_marked_one_by_one_are_not_all_right(read, marks):
    _, (row,) = read({"image": "a.png", "question": "q", "answers": ["bad", "good"]} | marks)
    assert row.completion is None and "accepted_answers" not in row.meta
    assert {one.text for one in row.candidates} == {"bad", "good"}


@pytest.mark.parametrize("numbers", [(-2, 2), (-1, 0, 1), (1, 2, 3, 4, 5)])
def test_numbers_of_a_scale_name_no_better_answer(read, numbers):
    records = [
        {"image": "a.png", "question": f"q{n}", "answer_1": "x", "answer_2": "y", "preference": n}
        for n in numbers
    ]
    _, rows = read(*records)
    assert all(row.chosen is None and len(row.candidates) == 2 for row in rows)
    assert [row.meta["preference"] for row in rows] == list(numbers)
