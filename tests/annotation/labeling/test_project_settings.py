"""The settings of a project: bounds, words and what is stored."""

from __future__ import annotations

import pytest

from studio.annotation.labeling.project_settings import checked
from studio.core.errors import InputError, NotFoundError
from tests.annotation.conftest import make_rows


def test_the_project_form_says_how_many_there_may_be():
    with pytest.raises(InputError, match="Aspects can have at most 6 entries, and has 10") as told:
        checked({"aspects": [f"aspect {n}" for n in range(10)]})
    assert told.value.field == "aspects"
    with pytest.raises(InputError, match=r"Overlap must be at least 1\. Nothing was changed"):
        checked({"overlap": 0})
    with pytest.raises(InputError, match="Aspects: an aspect has at most 40 characters"):
        checked({"aspects": ["x" * 50]})


def test_settings_out_of_range_change_nothing(store):
    store.add_rows("charts", make_rows(1))
    for values in ({"overlap": 0}, {"gold_share": 2}, {"aspects": ["a", "a"]}, {"colour": "red"}):
        with pytest.raises(InputError) as caught:
            store.team.change_settings("lea", "charts", values)
        assert caught.value.field == next(iter(values))
    assert store.team.settings("charts").overlap == 1
    with pytest.raises(NotFoundError):
        store.team.settings("nothing")
