"""Runs of the fast path."""

import pytest

from tests.training.fast_pair import write_rows


@pytest.fixture
def epochs(runner, tmp_path):
    """A pair of preference trainers that go over their rows twice."""
    source = write_rows(tmp_path / "rows", "dpo", [[0], [0, 1], [], [2]])
    sections = {"method": "dpo", "data": {"source": source}, "schedule": {"epochs": 2}}
    sections["schedule"]["max_steps"] = None
    return runner, sections
