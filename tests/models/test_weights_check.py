"""Weights that are not the architecture's are refused before and while they are loaded."""

import json

import pytest
import torch

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.load import load_model, skeleton_of
from studio.models.model_source import load_processor
from studio.models.weights_check import check_weights, refuse_short_vocabulary
from tests.models.checkpoints import (
    DAMAGED,
    changed,
    described,
    prefixed,
    sharded,
    taller,
)

LAYER = "model.text_model.layers.2.mlp.up_proj"


def refusals(folder):
    """What the check of headers says, and what loading says."""
    model, said = ModelConfig(id=str(folder)), []
    for load in (check_weights, load_model):
        with pytest.raises(ModelError) as caught:
            load(model)
        assert caught.value.field == "model.id" and caught.value.remedy
        said.append(str(caught.value))
    return said


@pytest.mark.parametrize("make", DAMAGED.values(), ids=DAMAGED)
def test_damaged_models_are_refused_alike_before_and_while_they_are_loaded(tmp_path, make):
    checked, loaded = refusals(make(tmp_path / "model"))
    assert checked == loaded


def test_names_numbers_and_the_prefix_are_told(tmp_path):
    said, _ = refusals(prefixed(tmp_path / "model"))
    assert "109 are missing (lm_head.weight" in said and "109 are not known to it" in said
    assert "would be random numbers" in said
    assert 'begins with "base_model.model."' in said


def test_shapes_are_told(tmp_path):
    said, _ = refusals(taller(tmp_path / "model"))
    assert "embed_tokens.weight: 648×128 in the file, 640×128 in the model" in said


def test_one_missing_weight_is_enough(tmp_path):
    def lose(weights):
        del weights[f"{LAYER}.weight"]

    for said in refusals(changed(tmp_path / "model", lose)):
        assert f"1 is missing ({LAYER}.weight)" in said


def test_weights_the_model_would_leave_out_are_refused(tmp_path):
    """A bias that the configuration switched off, a layer it does not count."""

    def add(weights):
        weights[f"{LAYER}.bias"] = torch.ones(4)

    for said in refusals(changed(tmp_path / "bias", add)):
        assert f"1 is not known to it ({LAYER}.bias)" in said
    folder = changed(tmp_path / "shorter", lambda weights: None)
    text = config_of(folder)["text_config"]
    described(folder, text_config=text | {"num_hidden_layers": 3})
    for said in refusals(folder):
        assert "text_model.layers.3." in said and " missing (" not in said


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def test_an_adapter_in_the_place_of_a_model_is_called_so(tmp_path):
    def adapt(weights):
        moved = weights.pop(f"{LAYER}.weight")
        weights[f"{LAYER}.base_layer.weight"] = moved
        weights[f"{LAYER}.lora_A.default.weight"] = torch.ones(2, 2)

    said, _ = refusals(changed(tmp_path / "model", adapt))
    assert "an adapter" in said and "adapter.continue_from" in said


def test_harmless_leftovers_and_tied_heads_load(tmp_path):
    def leave(weights):
        weights["model.text_model.rotary_emb.inv_freq"] = torch.ones(4)
        weights["model.vision_model.embeddings.position_ids"] = torch.ones(1, 4)

    model = ModelConfig(id=str(changed(tmp_path / "model", leave)))
    assert check_weights(model) == ""
    assert load_model(model).model is not None

    def tie(weights):
        del weights["lm_head.weight"]

    folder = changed(tmp_path / "tied", tie)
    text = config_of(folder)["text_config"]
    described(folder, tie_word_embeddings=True, text_config=text | {"tie_word_embeddings": True})
    loaded = load_model(ModelConfig(id=str(folder))).model
    assert check_weights(ModelConfig(id=str(folder))) == ""
    assert loaded.lm_head.weight.data_ptr() == loaded.get_input_embeddings().weight.data_ptr()


def test_the_embedded_model_and_one_in_several_files_fit(tmp_path):
    for model in (ModelConfig(), ModelConfig(id=str(sharded(tmp_path / "model")))):
        assert check_weights(model) == ""


def test_weights_that_are_no_numbers_are_refused_when_they_are_loaded(tmp_path):
    def spoil(weights):
        weights[f"{LAYER}.weight"][1, 2] = float("nan")

    folder = changed(tmp_path / "model", spoil)
    with pytest.raises(ModelError, match=f"no numbers.*{LAYER}"):
        load_model(ModelConfig(id=str(folder)))


def test_tokens_without_an_embedding_are_refused():
    model = ModelConfig()
    skeleton, processor = skeleton_of(model), load_processor(model)
    refuse_short_vocabulary(model, skeleton, processor)
    processor.tokenizer.add_tokens([f"new{number}" for number in range(60)])
    with pytest.raises(ModelError, match="has no embedding: it has 640") as caught:
        refuse_short_vocabulary(model, skeleton, processor)
    assert "new" in str(caught.value)
