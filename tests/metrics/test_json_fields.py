import pytest

from studio.metrics.json_fields import (
    compare_fields,
    flat_fields,
    is_json,
    json_score,
    same_value,
)
from tests.evaluation.row_makers import row_of

RIGHT = '{"shop": "Bäckerei", "total": 12.5, "items": [{"name": "bread", "price": 3}]}'


def test_each_value_is_compared_by_its_path():
    given = '{"shop": "bäckerei.", "total": 13, "items": [{"name": "bread"}], "tax": 1}'
    compared = compare_fields(given, RIGHT)
    assert compared.right == ("shop", "items[0].name")
    assert compared.wrong == ("total",)
    assert compared.missing == ("items[0].price",)
    assert compared.extra == ("tax",)
    assert compared.score == 2 / 5


def test_an_answer_within_a_fence_is_read():
    assert compare_fields(f"Here it is:\n```json\n{RIGHT}\n```", RIGHT).score == 1


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "12", "null", "[" * 5000])
def test_no_json_scores_nothing_and_says_why(text):
    compared = compare_fields(text, RIGHT)
    assert compared.invalid
    assert compared.score == 0
    assert compared.missing == ("shop", "total", "items[0].name", "items[0].price")


@pytest.mark.parametrize(
    ("given", "right", "same"),
    [
        (1.005, 1, True),
        (1.02, 1, False),
        ("3.0", 3, True),
        ("1,000", 1000, True),
        (True, 1, False),
        (True, True, True),
        (0.001, 0, False),
        ("a ", "A", True),
        (10**400, 10**400, True),
        (10**400, 1, False),
        (None, None, True),
        (None, "", False),
        ([], [], True),
        ([], {}, False),
    ],
)
def test_same_value(given, right, same):
    assert same_value(given, right) is same


def test_paths():
    assert flat_fields({"a": {"b": []}, "c": [1, {"d": None}]}) == {
        "a.b": [],
        "c[0]": 1,
        "c[1].d": None,
    }


def test_the_best_accepted_answer_counts_and_others_are_passed_over():
    assert json_score('{"a": 2}', ('{"a": 1}', '{"a": 2}'), row_of()) == 1
    assert json_score("{}", ("{}",), row_of()) == 1
    assert json_score('{"a": 2}', ("blue", "12"), row_of()) is None
    assert not is_json("12")
