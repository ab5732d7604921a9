"""Values that many rows share."""

import pytest

from studio.data.row_variety import ENOUGH_TO_JUDGE, RepeatedValues


def counted(*values: str) -> RepeatedValues[str]:
    found = RepeatedValues[str]()
    for number, value in enumerate(values, 1):
        found.add(value, number)
    return found


def test_the_value_of_more_than_a_share_is_found_with_its_rows():
    found = counted(*["yes"] * 13, *[f"no {n}" for n in range(7)])
    assert found.commonest(0.5) == ("yes", list(range(1, 14)), 0.65)
    assert found.commonest(0.65) is None, "as many are not more"


def test_the_share_may_be_of_more_rows_than_have_a_value():
    found = counted(*["a picture"] * 12)
    assert found.commonest(0.5, of=40) is None
    assert found.commonest(0.2, of=40) == ("a picture", list(range(1, 13)), 0.3)


@pytest.mark.parametrize("values", [[], ["same"] * (ENOUGH_TO_JUDGE - 1)])
def test_too_few_rows_are_not_judged(values):
    assert counted(*values).commonest(0.0) is None


def test_no_value_among_many_rows_is_no_repetition():
    assert counted().commonest(0.1, of=100) is None
