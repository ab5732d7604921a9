"""What is kept on disk: right or absent, bounded, shared, and worth it."""

from pathlib import Path

import pytest
import torch

from studio.training.fast_path import cache_policy
from studio.training.fast_path.cache_files import read_record, write_record
from studio.training.fast_path.feature_cache import FeatureCache, prune
from studio.training.fast_path.feature_filling import fill_cache
from studio.training.fast_path.image_references import image_ref
from studio.training.fast_path.reference_logps import ReferenceCache
from studio.training.fast_path.row_token_ids import ImageExpansion, Preprocessed
from tests.training.fast_pair import IMAGES, Bench, assert_same, compute, write_rows

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


def test_a_writer_killed_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "one.bin"
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_record(path, {}, b"12345")
    assert read_record(path) is None and not list(tmp_path.iterdir())


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


def test_reference_scores_survive_and_damaged_lines_do_not(tmp_path):
    first = ReferenceCache(tmp_path, "run-0")
    first.put(["k1", "k2"], torch.tensor([-1.1, -2.2]), torch.tensor([-3.3, -4.4]))
    path = tmp_path / "run-0.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace("-2.2", "-2.3"), lines[1][:9]]))
    second = ReferenceCache(tmp_path, "run-1")
    chosen, rejected = second.get(["k1"])
    assert torch.equal(chosen, torch.tensor([-1.1])) and rejected[0] == torch.tensor(-3.3)
    assert second.get(["k2"]) is None


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


def test_equal_images_have_one_key_wherever_they_are(tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(IMAGES[0].read_bytes())
    assert image_ref(str(copy)).key == image_ref({"path": str(IMAGES[0]), "bytes": None}).key
    before = image_ref(str(copy)).key
    copy.write_bytes(IMAGES[1].read_bytes() + b"\0")
    assert image_ref(str(copy)).key != before


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


def test_another_model_or_processor_shares_nothing(epochs):
    runner, sections = epochs
    folders = set()
    for change in ({}, {"image": {"split": True, "longest_edge": 192}}, {"attention": "eager"}):
        fast = Bench(runner).trainer(**sections, model=change)
        folders.add(fast.saving.cache.folder.name)
    assert len(folders) == 3
