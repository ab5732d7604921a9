"""Adapters land whole or not at all: the same check for chat, for training and for evaluation."""

import re
import shutil

import pytest
import torch
from peft import get_peft_model

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models import adapter_weights
from studio.models.adapter_weights import DEFAULT, state_of
from studio.models.load import load_model
from tests.adapter_folders import configured, reweigh, save_adapter_of
from tests.families.build import save
from tests.models.adapters_put_on import EMBEDDED, PURPOSES, loaded, logits, refused


@pytest.mark.parametrize("purpose", PURPOSES)
def test_half_the_weights_is_refused_with_names_and_numbers(folder, purpose):
    reweigh(folder, lambda held: {k: v for k, v in held.items() if "lora_A" in k})
    said = refused(folder, purpose)
    assert re.search(r"8 of the 16 weights .* not in its file", said)
    assert "text_model.layers.0.self_attn.q_proj.lora_B" in said


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_weight_without_a_place_is_refused(folder, purpose):
    more = {"base_model.model.model.text_model.layers.9.self_attn.q_proj.lora_A.weight": 1}
    reweigh(folder, lambda held: held | {key: torch.zeros(4, 128) for key in more})
    assert "1 of the 17 weights in its file have no place" in refused(folder, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder, purpose, value):
    def spoil(held):
        next(iter(held.values()))[0, 0] = value
        return held

    reweigh(folder, spoil)
    assert "1 of its 16 weights hold NaN or infinity" in refused(folder, purpose)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_names_of_a_layout_that_is_not_known_are_refused(folder, purpose):
    reweigh(
        folder,
        lambda held: {k.replace("model.text_model", "language_model.model"): held[k] for k in held},
    )
    said = refused(folder, purpose)
    assert "language_model.model.layers.0" in said and "model.text_model.layers.0" in said


def test_an_adapter_s_name_inside_the_names_is_no_obstacle(lora, folder):
    reweigh(folder, lambda held: {k.replace(".weight", ".default.weight"): held[k] for k in held})
    assert torch.equal(logits(loaded(folder)), logits(loaded(lora)))


OLDER = {
    "llava": (
        ("model.language_model.layers", "language_model.model.layers"),
        ("model.vision_tower.encoder", "vision_tower.vision_model.encoder"),
    ),
    "qwen2_vl": (("model.language_model.", "model."), ("model.visual.", "visual.")),
}
"""For some families, how parts of them were called before, beginning with the name of today."""


def older(family, name):
    name = name.removeprefix("base_model.model.")
    for now, then in OLDER[family]:
        if name.startswith(now):
            return "base_model.model." + then + name.removeprefix(now)
    raise AssertionError(name)


@pytest.mark.parametrize("family", OLDER)
@pytest.mark.parametrize("kind", ["LORA", "IA3"])
def test_names_of_earlier_layouts_arrive_where_the_weights_belong(tmp_path, family, kind):
    """What transformers renames in checkpoints is renamed in adapters, of every kind."""
    model = ModelConfig(id=save(family, tmp_path / "model"))
    targets = {"target_modules": ["q_proj", "v_proj", "qkv"]}
    now = save_adapter_of(configured(kind, **targets), tmp_path / "now", model=model)
    then = shutil.copytree(now, tmp_path / "then")
    reweigh(then, lambda held: {older(family, key): value for key, value in held.items()})
    wanted, found = (state_of(loaded(folder, model), DEFAULT) for folder in (now, then))
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_added_tokens_are_named_as_the_reason(tmp_path, purpose):
    base = load_model(EMBEDDED).model
    base.resize_token_embeddings(base.get_input_embeddings().num_embeddings + 8)
    config = configured("LORA", modules_to_save=["embed_tokens", "lm_head"])
    get_peft_model(base, config).save_pretrained(tmp_path)
    assert "it added 8 tokens" in refused(tmp_path, purpose)


def test_weights_that_do_not_arrive_are_noticed(folder, monkeypatch):
    monkeypatch.setattr(adapter_weights, "set_peft_model_state_dict", lambda *_, **__: None)
    with pytest.raises(ModelError, match="16 of 16 weights did not arrive"):
        loaded(folder)
