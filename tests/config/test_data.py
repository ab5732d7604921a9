"""Which rows a run can ask for."""

import pytest
from pydantic import ValidationError

from studio.config.data import DataConfig


@pytest.mark.parametrize(
    "values",
    [{"source": ""}, {"max_length": 15}, {"too_long": "cut"}, {"turns": "first"}, {"split": "a"}],
)
def test_what_cannot_be_meant_is_refused(values):
    with pytest.raises(ValidationError):
        DataConfig(**values)


def test_values_of_a_filter_keep_their_kind():
    """A column of truth values has no "true" in it."""
    where = {"kind": "bar", "checked": True, "votes": 3, "score": 0.5}
    kept = DataConfig(where=where).where
    assert kept == where
    assert [type(value) for value in kept.values()] == [str, bool, int, float]
