"""A filled cache changes no loss, whatever becomes of its files."""

import pytest

from studio.training.fast_path.feature_filling import fill_cache
from tests.training.fast_pair import Bench, assert_same, compute, write_rows


@pytest.fixture
def epochs(runner, tmp_path):
    """A pair of preference trainers that go over their rows twice."""
    source = write_rows(tmp_path / "rows", "dpo", [[0], [0, 1], [], [2]])
    sections = {"method": "dpo", "data": {"source": source}, "schedule": {"epochs": 2}}
    sections["schedule"]["max_steps"] = None
    return runner, sections


def test_poisoned_caches_change_no_loss(epochs):
    runner, sections = epochs
    stock, fast = Bench(runner).pair(**sections)
    assert fill_cache(fast, fast.run.paths) == 2  # the check of the first row kept one
    expected = compute(stock)
    assert_same(expected, compute(fast))
    for path in (runner.workspace.cache / "features").glob("*/*/*.bin"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 255
        path.write_bytes(content)
    for path in (runner.workspace.cache / "reference").glob("*/*.txt"):
        path.write_text(path.read_text().replace("-", "-1", 4))
    again = Bench(runner).trainer(**sections)
    assert_same(expected, compute(again))
    assert again.saving.cache.hits.missed == 3 and again.saving.reference.hits.missed == 4
    third = Bench(runner).trainer(**sections)
    assert_same(expected, compute(third))
    assert third.saving.cache.hits.rate == 1 and third.saving.reference.hits.rate == 1
