"""What kept features depend on."""

import pytest

from tests.training.fast_pair import Bench, write_rows


@pytest.fixture
def epochs(runner, tmp_path):
    """A pair of preference trainers that go over their rows twice."""
    source = write_rows(tmp_path / "rows", "dpo", [[0], [0, 1], [], [2]])
    sections = {"method": "dpo", "data": {"source": source}, "schedule": {"epochs": 2}}
    sections["schedule"]["max_steps"] = None
    return runner, sections


def test_another_model_or_processor_shares_nothing(epochs):
    runner, sections = epochs
    folders = set()
    for change in ({}, {"image": {"split": True, "longest_edge": 192}}, {"attention": "eager"}):
        fast = Bench(runner).trainer(**sections, model=change)
        folders.add(fast.saving.cache.folder.name)
    assert len(folders) == 3
