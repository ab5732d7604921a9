"""A filled cache changes no loss, whatever becomes of its files."""

from studio.training.fast_path.feature_filling import fill_cache
from tests.training.fast_pair import Bench, assert_same, compute


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
