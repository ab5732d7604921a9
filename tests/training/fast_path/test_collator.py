"""Images prepared by other processes: the same losses, and no image decoded that is cached."""

import pickle
from pathlib import Path

import pytest
import torch
from PIL import ImageFile

from studio.training.fast_path import collator as collate
from studio.training.fast_path.feature_filling import fill_cache
from tests.training.fast_pair import IMAGES as FILES
from tests.training.fast_pair import Bench, assert_same, compute, write_rows

IMAGES = [[0], [0, 1], [], [2], [1], [0]]


def settings(source: str, method: str, workers: int, **speed) -> dict:
    return {
        "method": method,
        "data": {"source": source},
        "batch": {"per_device": 2, "total": 2},
        "schedule": {"epochs": 2, "max_steps": None, "save_every": 100, "log_every": 1},
        "speed": {"workers": workers} | speed,
    }


@pytest.fixture
def decoded(monkeypatch, tmp_path):
    """A file with the number of each image that is decoded, by whichever process."""
    log, plain = tmp_path / "decoded.txt", ImageFile.ImageFile.load
    numbers = {path.read_bytes(): number for number, path in enumerate(FILES[:6])}

    def load(image):
        if image.tile:  # not decoded yet
            named = image.filename and Path(image.filename).read_bytes()
            with log.open("a") as handle:
                handle.write(f"{numbers[named or image.fp.getvalue()]}\n")
        return plain(image)

    log.touch()
    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    return log


def losses(trainer) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_nothing_cached_is_decoded_by_any_process(runner, tmp_path, decoded, method):
    """Two epochs with and without workers."""
    source, found = write_rows(tmp_path / "rows", method, IMAGES), []
    for workers in (0, 2):
        trainer = Bench(runner).trainer(**settings(source, method, workers))
        fill_cache(trainer, trainer.run.paths)
        decoded.write_text("")
        found.append(losses(trainer))
        assert decoded.read_text() == "" and trainer.saving.cache.hits.rate == 1
        assert trainer.get_train_dataloader().num_workers == workers
    assert len(found[0]) == 6 and found[1] == pytest.approx(found[0], rel=1e-6)


def test_the_cache_is_filled_by_workers_with_each_image_once(runner, tmp_path, decoded):
    rows = [[number] for number in range(6)]
    source = write_rows(tmp_path / "rows", "dpo", rows)
    trainer = Bench(runner).trainer(**settings(source, "dpo", 2))
    decoded.write_text("")
    state = torch.get_rng_state()
    assert fill_cache(trainer, trainer.run.paths) == 5  # the check kept the first
    assert sorted(decoded.read_text().split()) == list("12345")
    assert torch.equal(state, torch.get_rng_state())
    expected = compute(trainer)
    assert_same(expected, compute(Bench(runner).trainer(**settings(source, "dpo", 0))))


def test_an_image_without_a_cache_is_decoded_once_for_its_batch(runner, tmp_path, decoded):
    source = write_rows(tmp_path / "rows", "dpo", [[0], [0, 1], [1]])
    trainer = Bench(runner).trainer(**settings(source, "dpo", 0, cache_features="off"))
    decoded.write_text("")
    trainer.data_collator([trainer.train_dataset[index] for index in range(3)])
    assert sorted(decoded.read_text().split()) == ["0", "1"]


def test_a_later_start_decodes_for_its_check_only(runner, tmp_path, decoded):
    source = write_rows(tmp_path / "rows", "sft", [[0], [1], [2]])
    first = Bench(runner).trainer(**settings(source, "sft", 0))
    fill_cache(first, first.run.paths)
    decoded.write_text("")
    Bench(runner).trainer(**settings(source, "sft", 0))
    assert set(decoded.read_text().split()) == {"0", "1"}  # what TRL's path is checked with


@pytest.mark.parametrize("cached", ["auto", "off"])
def test_what_workers_get_can_be_sent_to_them(runner, tmp_path, cached):
    """Where processes are not forked, collator and rows are pickled."""
    source = write_rows(tmp_path / "rows", "dpo", IMAGES)
    trainer = Bench(runner).trainer(**settings(source, "dpo", 0, cache_features=cached))
    sent = pickle.loads(pickle.dumps((trainer.data_collator, trainer.train_dataset)))
    batches = [
        collator([rows[index] for index in range(4)])
        for collator, rows in (sent, (trainer.data_collator, trainer.train_dataset))
    ]
    layouts = [batch.pop(collate.LAYOUT) for batch in batches]
    images = [batch.pop(collate.IMAGES) for batch in batches]
    for ours, theirs in (batches, layouts):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert images[0].refs == images[1].refs and images[0].pairs == images[1].pairs
