"""Features on disk: right or absent, bounded, and shared."""

from pathlib import Path

import pytest
import torch

from studio.models.image_features.feature_cache import FeatureCache, prune
from studio.models.image_features.row_token_ids import ImageExpansion, Preprocessed

GIB = 2**30


MADE = Preprocessed({}, ImageExpansion((3, 4, 4, 3), (1, 2, 2)))


def filled(folder: Path, keys: str = "abc") -> FeatureCache:
    cache = FeatureCache(folder, GIB)
    for number, key in enumerate(keys):
        cache.put(key * 8, MADE, torch.full((2, 8), float(number), dtype=torch.bfloat16))
    return cache


def test_features_come_back_as_they_were_to_anyone(tmp_path):
    filled(tmp_path / "f")
    other = FeatureCache(tmp_path / "f", GIB)
    assert other.expansion("b" * 8) == MADE.expansion
    found = other.get("b" * 8)
    assert found.dtype == torch.bfloat16 and torch.equal(found, torch.ones(2, 8).bfloat16())
    assert other.get("z" * 8) is None and other.hits.rate == 0.5


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "foreign"])
def test_a_damaged_file_counts_as_absent_and_is_replaced(tmp_path, harm):
    filled(tmp_path / "f")
    path = next((tmp_path / "f").glob("bb/*.bin"))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(
        {"flip": bytes(content), "cut": content[:-5], "empty": b"", "foreign": b"x" * 500}[harm]
    )
    cache = FeatureCache(tmp_path / "f", GIB)
    assert cache.get("b" * 8) is None and not path.exists()
    cache.put("b" * 8, MADE, torch.ones(2, 8))
    assert torch.equal(cache.get("b" * 8), torch.ones(2, 8))


def test_the_budget_holds_and_the_unused_go_first(tmp_path):
    cache = FeatureCache(tmp_path / "m" / "f", 10)
    cache.put("a" * 8, MADE, torch.ones(2, 8))
    assert not cache.holds("a" * 8) and "budget" in cache.full
    filled(tmp_path / "m" / "old", "abc")
    filled(tmp_path / "m" / "new", "de")
    each = next((tmp_path / "m").glob("*/*/*.bin")).stat().st_size
    prune(tmp_path / "m", 2 * each, keep=tmp_path / "m" / "new")
    assert [p.parent.name for p in sorted((tmp_path / "m").glob("*/*/*.bin"))] == ["dd", "ee"]


def test_a_file_that_another_run_removes_meanwhile_is_no_trouble(tmp_path):
    cache = FeatureCache(tmp_path / "m" / "new", 10**6)
    (cache.folder / "ab").mkdir()
    (cache.folder / "ab" / "gone.bin").symlink_to("nowhere")
    assert FeatureCache(cache.folder, 10**6).used == 0
    assert prune(tmp_path / "m", 0, keep=cache.folder) == 0
