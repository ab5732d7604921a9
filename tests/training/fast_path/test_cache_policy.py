"""When keeping features is worth its disk."""

import pytest

from studio.training.fast_path import cache_policy

GIB = 2**30


@pytest.mark.parametrize(
    ("need", "on", "words"),
    [
        (cache_policy.ImageUse(100, 3, 1000), True, "each needed 3×"),
        (cache_policy.ImageUse(100, 1, 1000), False, "seen once"),
        (cache_policy.ImageUse(100, 1, 1000, present=5), True, "5 there already"),
        (cache_policy.ImageUse(100, 3, GIB), False, "over the budget"),
        (cache_policy.ImageUse(0, 3, 1000), False, "no images"),
    ],
)
def test_caching_is_decided_by_epochs_images_and_disk(tmp_path, need, on, words):
    decision = cache_policy.decide(need, tmp_path / "not" / "there", 20 * GIB)
    assert decision.on is on and words in decision.reason


def test_caching_is_left_out_when_the_disk_is_small(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(cache_policy.shutil, "disk_usage", lambda _: usage)
    decision = cache_policy.decide(cache_policy.ImageUse(10, 3, 100), tmp_path, GIB)
    assert not decision.on and "free" in decision.reason
