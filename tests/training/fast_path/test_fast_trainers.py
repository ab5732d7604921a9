"""The fast path computes what TRL computes: losses, gradients, metrics."""

import pytest
import torch

from studio.config.dpo import LOSSES
from studio.config.speed import SAVINGS
from studio.core.paths import TINY_VLM
from tests.training.fast_pair import Bench, assert_same, compute, write_rows

MIXED = [[0], [0, 1], [], [2]]
"""Images of four rows: one, two, none, another."""


@pytest.fixture(scope="module")
def preference_pair(shared_runner, tmp_path_factory):
    source = write_rows(tmp_path_factory.mktemp("rows"), "dpo", MIXED)
    sections = {"method": "dpo", "data": {"source": source}, "dpo": {"label_smoothing": 0.1}}
    return Bench(shared_runner).pair(**sections)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_preference_loss_is_the_same(preference_pair, loss):
    """One, several and no images, uneven lengths and padding, in one batch."""
    for trainer in preference_pair:
        trainer.loss_types = [loss]
    stock, fast = preference_pair
    assert fast.saving is not None
    assert_same(compute(stock), compute(fast))


@pytest.mark.parametrize(
    "setting",
    [
        {"ld_alpha": 0.5},
        {"f_divergence_type": "js_divergence"},
        {"loss_types": ["sigmoid", "sft"], "loss_weights": [0.8, 1.0]},
    ],
    ids=["ld_alpha", "f-divergence", "mixture"],
)
def test_other_preference_settings_are_the_same(preference_pair, setting, monkeypatch):
    for trainer in preference_pair:
        monkeypatch.setattr(trainer, "loss_types", ["sigmoid"])
        for name, value in setting.items():
            monkeypatch.setattr(trainer, name, value)
        if trainer.__class__.__name__.startswith("Fast"):
            monkeypatch.setattr(trainer.saving, "reference", None)
            monkeypatch.setattr(trainer, "precompute_ref_logps", False)
    stock, fast = preference_pair
    assert_same(compute(stock), compute(fast))


def test_weighting_by_the_policy_is_the_same(shared_runner, tmp_path, monkeypatch):
    from trl import DPOTrainer

    plain = DPOTrainer.__init__

    def weighted(self, *args, **kwargs):
        kwargs["args"].use_weighting = True
        plain(self, *args, **kwargs)

    monkeypatch.setattr(DPOTrainer, "__init__", weighted)
    source = write_rows(tmp_path, "dpo", MIXED)
    stock, fast = Bench(shared_runner).pair(method="dpo", data={"source": source})
    assert_same(compute(stock), compute(fast))


@pytest.mark.parametrize(("attention", "checkpointing"), [("eager", False), ("sdpa", True)])
def test_preferences_with_any_attention_and_checkpointing(
    shared_runner, tmp_path, attention, checkpointing
):
    source = write_rows(tmp_path, "dpo", MIXED)
    sections = {
        "method": "dpo",
        "data": {"source": source},
        "model": {"attention": attention},
        "batch": {"gradient_checkpointing": checkpointing},
    }
    stock, fast = Bench(shared_runner).pair(**sections)
    assert fast.bare_model.is_gradient_checkpointing is checkpointing
    assert_same(compute(stock), compute(fast))


@pytest.mark.parametrize(
    "images",
    [MIXED, [[0], [0], [0], [1]], [[], [], [], []]],
    ids=["mixed", "questions about one image", "text only"],
)
def test_supervised_losses_are_the_same(shared_runner, tmp_path, images):
    source = write_rows(tmp_path, "sft", images)
    stock, fast = Bench(shared_runner).pair(data={"source": source})
    assert_same(compute(stock), compute(fast))


def test_tiles_are_the_same(shared_runner, tmp_path):
    source = write_rows(tmp_path, "dpo", MIXED)
    sections = {
        "method": "dpo",
        "data": {"source": source},
        "model": {"image": {"split": True, "longest_edge": 192}},
    }
    stock, fast = Bench(shared_runner).pair(**sections)
    rows = [fast.train_dataset[index] for index in range(4)]
    layout = fast.data_collator(rows)["layout"]
    assert (layout["slots"] >= 0).sum() > 36 * 4
    assert_same(compute(stock), compute(fast))


def test_quantized_language_models_agree(shared_runner, tmp_path):
    source = write_rows(tmp_path, "dpo", MIXED)
    sections = {"method": "dpo", "data": {"source": source}, "model": {"quantization": "nf4"}}
    stock, fast = Bench(shared_runner).pair(**sections)
    assert fast.saving is not None
    assert_same(compute(stock), compute(fast), tolerance=1e-2)


def test_only_completions_meet_the_head_and_prompts_stand_once(shared_runner, tmp_path):
    source = write_rows(tmp_path, "dpo", [[0], [0, 1], [], [2]])
    fast = Bench(shared_runner).trainer(method="dpo", data={"source": source})
    batch = fast.data_collator([fast.train_dataset[index] for index in range(4)])
    layout = batch["layout"]
    assert layout["keep"].numel() == int(batch["completion_mask"].sum())
    assert layout["input_ids"].shape[0] == 4 and batch["input_ids"].shape[0] == 8
    assert int((layout["slots"] >= 0).sum()) == 36 * 4
    assert "pixel_values" not in batch


def test_questions_about_one_image_share_its_prefix(shared_runner, tmp_path):
    source = write_rows(tmp_path, "sft", [[0], [0], [0], [1]])
    fast = Bench(shared_runner).trainer(data={"source": source})
    layout = fast.data_collator([fast.train_dataset[index] for index in range(4)])["layout"]
    assert layout["input_ids"].shape[0] == 2
    assert int((layout["slots"] >= 0).sum()) == 36 * 2


def test_an_adapted_vision_tower_takes_the_stock_path(shared_runner, tmp_path):
    source = write_rows(tmp_path, "dpo", MIXED)
    sections = {
        "method": "dpo",
        "data": {"source": source},
        "adapter": {"targets": "vision+language"},
    }
    stock, fast = Bench(shared_runner).pair(**sections)
    assert fast.saving is None
    results = compute(stock), compute(fast)
    assert_same(*results)
    vision = [p for n, p in fast.model.named_parameters() if "vision" in n and p.grad is not None]
    assert vision and any(p.grad.abs().sum() > 0 for p in vision)


def test_switched_off_is_the_stock_trainer(shared_runner, tmp_path):
    from trl import DPOTrainer, SFTTrainer

    stock = Bench(shared_runner)
    for method, kind in (("sft", SFTTrainer), ("dpo", DPOTrainer)):
        source = write_rows(tmp_path / method, method, MIXED)
        trainer = stock.trainer(
            method=method,
            data={"source": source},
            speed=dict.fromkeys(SAVINGS, "off"),
        )
        assert type(trainer) is kind
        assert torch.is_tensor(next(iter(trainer.get_train_dataloader()))["pixel_values"])


def test_smolvlm_is_among_the_families(shared_runner, tmp_path):
    """Random weights, the embedded processor."""
    from transformers import (
        AutoConfig,
        AutoProcessor,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
    )

    plain = AutoConfig.from_pretrained(TINY_VLM).to_dict()
    text, vision = plain["text_config"], plain["vision_config"] | {"model_type": "smolvlm_vision"}
    config = SmolVLMConfig(
        text_config=text, vision_config=vision, image_token_id=4, scale_factor=2, pad_token_id=2
    )
    torch.manual_seed(0)
    SmolVLMForConditionalGeneration(config).save_pretrained(tmp_path / "model")
    AutoProcessor.from_pretrained(TINY_VLM).save_pretrained(tmp_path / "model")
    source = write_rows(tmp_path, "dpo", MIXED)
    sections = {
        "method": "dpo",
        "data": {"source": source},
        "model": {"id": str(tmp_path / "model")},
    }
    stock, fast = Bench(shared_runner).pair(**sections)
    assert fast.saving is not None
    assert_same(compute(stock), compute(fast))
