"""Every family of the fast path computes what TRL computes, on tiny models of its own shape."""

import numpy as np
import pytest
import torch

from studio.config.model import ModelConfig
from studio.models.image_features.cache_key import features_fingerprint
from studio.models.image_features.families import FULL, SLIDING
from studio.models.load import load_model
from studio.runs.event_log import read_events
from studio.training.fast_path import attention_masks, collator, shared_prompt_forward
from tests.training.fast_pair import Bench, assert_same, compute, write_rows
from tests.training.tiny_families import NAMES, RECURRENT, save_sharp

IMAGES = [[0], [0, 1], [], [2]]
ROWS = {"llava_onevision": [[0], [1], [], [2]], "paligemma": [[0], [0, 1], [1], [2]]}
"""Of families that do not take every row."""
SIZES = [(40, 24), (16, 48), (32, 32)]


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    """Settings of a run on a tiny model of a family."""
    root = tmp_path_factory.mktemp("families")

    def of(family: str, method: str, images: list[list[int]] | None = None) -> dict:
        model = root / family
        if not model.exists():
            save_sharp(family, model)
        images = images or ROWS.get(family, IMAGES)
        rows = root / f"{family}-{method}-{sum(map(len, images))}"
        source = write_rows(rows, method, images, SIZES)
        return {"method": method, "data": {"source": source}, "model": {"id": str(model)}}

    return of


def warnings(trainer) -> list[str]:
    events = read_events(trainer.run.paths.events).events
    return [event.values["message"] for event in events if event.type == "warning"]


def told(trainer) -> str:
    events = read_events(trainer.run.paths.events).events
    return next(event.values["message"] for event in events if event.type == "fast_path")


@pytest.mark.parametrize("family", NAMES)
def test_preferences_are_the_same(shared_runner, sections, family):
    """Images of three shapes, one, several and none in a row; prompts shared, reference kept."""
    stock, fast = Bench(shared_runner).pair(**sections(family, "dpo"))
    assert fast.saving is not None, warnings(fast)
    batch = fast.data_collator([fast.train_dataset[index] for index in range(4)])
    shared = family not in RECURRENT
    assert ("segments" in batch["layout"]) is shared
    assert batch["layout"]["input_ids"].shape[0] == (4 if shared else 8)
    assert shared or "not every layer is attention" in told(fast)
    for _ in range(2):  # the second time the reference is known
        assert_same(compute(stock), compute(fast))


@pytest.mark.parametrize("family", ["internvl", "gemma3", "gemma4", "qwen3_vl", "lfm2_vl"])
def test_supervised_losses_are_the_same(shared_runner, sections, family):
    """Rows that share nothing."""
    stock, fast = Bench(shared_runner).pair(**sections(family, "sft"))
    assert fast.saving is not None, warnings(fast)
    assert_same(compute(stock), compute(fast))


def test_features_come_back_from_disk_with_their_grids(shared_runner, sections):
    values = sections("qwen3_vl", "dpo") | {"schedule": {"epochs": 2, "max_steps": None}}
    expected = compute(Bench(shared_runner).trainer(**values))
    again = Bench(shared_runner).trainer(**values)
    assert again.saving.cache.holds(again.train_dataset[0]["images"][0].key)
    assert_same(expected, compute(again))


@pytest.mark.parametrize(
    ("family", "module", "name", "wrong"),
    [
        ("gemma3", attention_masks, "image_blocks", lambda layout: torch.full_like(layout["slots"], -1)),
        ("gemma3", shared_prompt_forward, "windows_of", lambda _: {FULL: None, SLIDING: 99}),
        ("gemma4", shared_prompt_forward, "blocks_of", lambda _: ()),
        ("paligemma", attention_masks, "same_block", lambda layout: attention_masks.visible(layout)),
        ("idefics2", shared_prompt_forward, "windows_of", lambda _: {FULL: None}),
        ("qwen2_5_vl", collator, "grid_positions", lambda seen, *_: np.tile(
            np.arange(len(seen)), (3, 1))),
    ],
    ids=[
        "blind to what follows in an image",
        "windows too wide",
        "blind in the layers with a window",
        "a prompt read in one direction",
        "no window",
        "positions in a line",
    ],
)  # fmt: skip
def test_what_is_special_to_a_family_is_checked(
    shared_runner, sections, monkeypatch, family, module, name, wrong
):
    monkeypatch.setattr(module, name, wrong)
    fast = Bench(shared_runner).trainer(**sections(family, "dpo"))
    assert fast.saving is None and "differs from the stock path" in warnings(fast)[0]


def test_features_of_another_layer_are_other_features(sections):
    """The same weights, another setting of the model or of its processor."""
    model = ModelConfig(id=sections("llava", "dpo")["model"]["id"])
    loaded, names = load_model(model), set()
    names.add(features_fingerprint(loaded.model, loaded.processor, "no", "cpu"))
    names.add(features_fingerprint(load_model(model).model, loaded.processor, "no", "cpu"))
    assert len(names) == 1
    loaded.model.config.vision_feature_layer = -1
    names.add(features_fingerprint(loaded.model, loaded.processor, "no", "cpu"))
    loaded.processor.num_additional_image_tokens = 0
    names.add(features_fingerprint(loaded.model, loaded.processor, "no", "cpu"))
    assert len(names) == 3


@pytest.mark.parametrize(
    ("family", "words"),
    [("llava_onevision", "beside others"), ("paligemma", "a row without image")],
)
def test_rows_that_change_in_company_take_the_stock_path(shared_runner, sections, family, words):
    fast = Bench(shared_runner).trainer(**sections(family, "dpo", IMAGES))
    assert fast.saving is None and words in told(fast)
