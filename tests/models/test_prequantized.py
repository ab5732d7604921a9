"""Checkpoints that hold quantized weights are loaded as they are, or refused by name."""

import shutil

import pytest
import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from torch import nn

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.load import load_model, skeleton_of
from studio.models.memory_check import bytes_needed
from studio.models.prequantized import (
    can_be_quantized,
    quantized_layers,
    refuse_untrainable,
    settled,
)
from studio.models.weights_check import check_weights
from studio.training.planning.weight_memory import quantized_modules, weight_bytes
from tests.models.checkpoints import (
    changed,
    copied,
    described,
    eight_bit,
    four_bit,
    fp8,
    load_file,
    save_file,
)

UP = "model.text_model.layers.2.mlp.up_proj"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("prequantized")
    return {
        "nf4": four_bit(root / "four"),
        "fp4": four_bit(root / "nested", bnb_4bit_quant_type="fp4", bnb_4bit_use_double_quant=True),
        "int8": eight_bit(root / "eight"),
        "fp8": fp8(root / "fp8"),
    }


KINDS = {"nf4": Linear4bit, "fp4": Linear4bit, "int8": Linear8bitLt}


@pytest.mark.parametrize("quantization", KINDS)
def test_what_bitsandbytes_wrote_is_loaded_as_it_is(folders, quantization):
    model = ModelConfig(id=str(folders[quantization]))
    assert check_weights(model) == ""
    found = settled(model)
    assert found.quantization == quantization
    assert found.double_quantization is (quantization == "fp4")
    assert settled(found) == found and not can_be_quantized(model)
    loaded = load_model(model).model
    assert type(loaded.get_submodule(UP)) is KINDS[quantization]
    assert type(loaded.lm_head) is nn.Linear
    planned = quantized_modules(found, skeleton_of(model), torch.float32)
    there = {n for n, m in loaded.named_modules() if type(m) is KINDS[quantization]}
    assert set(planned) == there == quantized_layers(model, skeleton_of(model))


@pytest.mark.parametrize("quantization", KINDS)
def test_the_same_weights_as_those_quantized_here(folders, quantization):
    prompt = {"input_ids": torch.arange(20)[None], "attention_mask": torch.ones(1, 20).long()}
    double = quantization == "fp4"
    ours = ModelConfig(quantization=quantization, double_quantization=double)
    with torch.no_grad():
        there, here = (
            load_model(model).model(**prompt).logits
            for model in (ModelConfig(id=str(folders[quantization])), ours)
        )
    assert torch.allclose(there, here, atol=1e-3)


def test_four_bits_are_multiplied_in_what_the_run_computes_in(folders):
    loaded = load_model(ModelConfig(id=str(folders["nf4"]), dtype="float32")).model
    assert loaded.get_submodule(UP).compute_dtype is torch.float32


def test_memory_is_that_of_the_weights_in_the_files(folders):
    full = ModelConfig()
    skeleton = skeleton_of(full)
    whole = weight_bytes(full, skeleton, torch.float32)
    for quantization in KINDS:
        model = settled(ModelConfig(id=str(folders[quantization])))
        skeleton = skeleton_of(model)
        assert weight_bytes(model, skeleton, torch.float32) < whole / 2
        cpu = torch.device("cpu")
        assert bytes_needed(ModelConfig(id=model.id), cpu) < bytes_needed(full, cpu) / 2


@pytest.mark.parametrize(
    ("holds", "asked"), [("nf4", "int8"), ("int8", "nf4"), ("nf4", "fp4"), ("fp8", "nf4")]
)
def test_another_quantization_is_refused(folders, holds, asked):
    model = ModelConfig(id=str(folders[holds]), quantization=asked)
    for use in (settled, load_model):
        with pytest.raises(ModelError, match=f"cannot be made {asked}") as caught:
            use(model)
        assert caught.value.field == "model.quantization" and caught.value.remedy


def test_modules_in_full_precision_are_known_from_the_files(folders):
    model = ModelConfig(id=str(folders["nf4"]))
    assert settled(model, ["lm_head", "up_proj"]).skip_modules == ["lm_head"]
    with pytest.raises(ModelError, match="holds up_proj in 4-bit") as caught:
        settled(model.model_copy(update={"skip_modules": ["up_proj"]}))
    assert caught.value.field == "model.skip_modules"


def test_names_of_earlier_versions_in_the_configuration_do_no_harm(tmp_path):
    """Only the files say which layers are quantized."""
    folder = four_bit(tmp_path / "model", llm_int8_skip_modules=["lm_head", "model.vision_model"])
    values = {"load_in_4bit": True, "quant_method": "bitsandbytes", "bnb_4bit_quant_type": "nf4"}
    described(folder, quantization_config=values | {"llm_int8_skip_modules": ["visual", "head"]})
    loaded = load_model(ModelConfig(id=str(folder))).model
    kinds = {name.split(".")[1]: type(m) for name, m in loaded.named_modules() if "_proj" in name}
    assert kinds["vision_model"] is nn.Linear and kinds["text_model"] is Linear4bit


def test_a_missing_quantized_weight_is_refused(folders, tmp_path):
    folder = shutil.copytree(folders["nf4"], tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith(UP)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    for use in (check_weights, load_model):
        with pytest.raises(ModelError, match=f"1 is missing .{UP}.weight"):
            use(ModelConfig(id=str(folder)))


def test_fp8_is_loaded_in_full(folders):
    model = ModelConfig(id=str(folders["fp8"]))
    refuse_untrainable(model)
    assert settled(model) == model
    loaded, full = load_model(model).model, load_model(ModelConfig()).model
    there, here = loaded.get_submodule(UP).weight, full.get_submodule(UP).weight
    assert type(loaded.get_submodule(UP)) is nn.Linear and there.dtype is torch.float32
    assert torch.allclose(there, here, atol=here.abs().max().item() / 10)
    assert "checked when they are loaded" in check_weights(model)


@pytest.mark.parametrize(
    ("values", "package"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "gptq"),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "gptq"),
        ({"quant_method": "hqq"}, "hqq"),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized"}, "compressed-tensors"),
    ],
)
def test_formats_that_need_a_package_say_which(tmp_path, values, package):
    folder = described(copied(tmp_path / "model"), quantization_config=values)
    with pytest.raises(ModelError, match="need") as caught:
        load_model(ModelConfig(id=str(folder)))
    assert values["quant_method"] in str(caught.value) and package in str(caught.value).lower()


def test_a_quantized_head_can_be_chatted_with_but_not_trained(tmp_path):
    folder = four_bit(tmp_path / "model", llm_int8_skip_modules=["model.vision_model"])
    model = ModelConfig(id=str(folder))
    with pytest.raises(ModelError, match=r"output head \(lm_head\)"):
        refuse_untrainable(model)
    assert type(load_model(model).model.lm_head) is Linear4bit


def test_plain_checkpoints_are_left_alone(tmp_path):
    model = ModelConfig(id=str(changed(tmp_path / "model", lambda weights: None)))
    assert settled(model) is model and can_be_quantized(model)
