"""Adapters land whole or not at all: the same check for chat, for training and for evaluation."""

import re
import shutil

import pytest
import torch
from peft import PeftModel, PromptTuningConfig, get_peft_model

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.core.paths import TINY_VLM
from studio.models import adapter_weights
from studio.models.adapter_config import WEIGHTS
from studio.models.adapter_weights import DEFAULT, check_adapter, put_on, state_of
from studio.models.load import load_model
from studio.models.loaded_adapters import AdapterShelf
from tests.adapter_folders import configured, describe, reweigh, save_adapter_of
from tests.families.build import save

IDS = torch.arange(2, 14).unsqueeze(0)
EMBEDDED = ModelConfig()
PURPOSES = ("chat", "sft", "dpo")


def logits(model):
    model.eval()
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    return save_adapter_of(configured("LORA"), tmp_path_factory.mktemp("lora") / "made")


@pytest.fixture
def folder(lora, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(lora, tmp_path / "made")


def refused(folder, purpose="sft", model=EMBEDDED, **kwargs):
    with pytest.raises(ModelError) as caught:
        check_adapter(folder, model, purpose=purpose, field="here", **kwargs)
    assert caught.value.field == "here" and caught.value.remedy
    return caught.value.message


def loaded(folder, model=EMBEDDED, purpose="sft", **kwargs):
    adapter = check_adapter(folder, model, purpose=purpose, field="here", **kwargs)
    return put_on(load_model(model).model, adapter)


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


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("base", ["/data/models/Charts", "someone/tiny-vlm", "/other/tiny-vlm"])
def test_another_name_of_the_base_has_to_be_confirmed(folder, purpose, base):
    describe(folder, base_model_name_or_path=base)
    assert f"it was trained on {base}, not on embedded" in refused(folder, purpose)
    confirmed = loaded(folder, purpose=purpose, same_base=True)
    assert confirmed.peft_config[DEFAULT].base_model_name_or_path == str(TINY_VLM)


def test_the_same_files_under_another_path_are_the_same_base(folder, tmp_path):
    copied = shutil.copytree(TINY_VLM, tmp_path / "models" / "copied")
    describe(folder, base_model_name_or_path=str(copied))
    check_adapter(folder, EMBEDDED, purpose="sft", field="here")
    reweighed = shutil.copytree(TINY_VLM, tmp_path / "other" / "tiny-vlm")
    reweigh_base(reweighed)
    describe(folder, base_model_name_or_path=str(reweighed))
    assert "it was trained on" in refused(folder)


def reweigh_base(folder):
    file = folder / "model.safetensors"
    held = bytearray(file.read_bytes())
    held[-8:] = bytes(8 * [1])
    file.write_bytes(held)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_learned_tokens_before_the_prompt_are_refused(tmp_path, purpose):
    config = PromptTuningConfig(
        num_virtual_tokens=4, task_type="CAUSAL_LM", num_layers=2, token_dim=128
    )
    config.num_attention_heads = 4
    get_peft_model(load_model(EMBEDDED).model, config).save_pretrained(tmp_path)
    assert "PROMPT_TUNING" in refused(tmp_path, purpose)


def test_an_adapter_on_the_head_answers_but_is_not_trained(tmp_path):
    folder = save_adapter_of(
        configured("LORA", target_modules=["lm_head", "q_proj"]), tmp_path / "made"
    )
    for purpose in ("sft", "dpo"):
        assert "changes the output head (lm_head)" in refused(folder, purpose)
    wanted = logits(PeftModel.from_pretrained(load_model(EMBEDDED).model, folder))
    assert torch.equal(logits(loaded(folder, purpose="chat")), wanted)


def test_an_adapter_that_brings_another_base_along_is_refused(tmp_path):
    folder = save_adapter_of(
        configured("LORA", target_modules=["lm_head", "q_proj"]), tmp_path / "made"
    )
    reweigh(folder, lambda held: {k: v + ("base_layer" in k) for k, v in held.items()})
    with pytest.raises(ModelError, match=r"also holds lm_head\.weight of the base model"):
        loaded(folder, purpose="chat")


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases_are_refused_in_dpo_only(tmp_path, bias):
    config = configured("LORA", bias=bias, target_modules=["q_proj"])
    folder = save_adapter_of(config, tmp_path / "made")
    assert "DPO would lose its reference" in refused(folder, "dpo")
    wanted = logits(PeftModel.from_pretrained(load_model(EMBEDDED).model, folder))
    assert torch.equal(logits(loaded(folder, purpose="sft")), wanted)


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"init_lora_weights": "pissa"}, "would be counted twice"),
        ({"layer_replication": [[0, 1], [0, 2]]}, "repeats layers"),
        ({"megatron_config": {"a": 1}, "megatron_core": "os"}, "foreign code"),
        (
            {"auto_mapping": {"base_model_class": "X", "parent_library": "transformers_modules.x"}},
            "foreign code",
        ),
        ({"peft_type": "NEWER"}, "does not know"),
        ({"use_newer": True}, "use_newer"),
        ({"target_modules": 5}, "does not fit"),
        ({"target_modules": ["nothing_of_this"]}, "does not fit"),
        ({"task_type": "NO_TASK"}, "not readable"),
        ({"r": 8}, "another shape"),
    ],
)
@pytest.mark.parametrize("purpose", ["chat", "sft"])
def test_descriptions_that_cannot_be_followed_are_refused(folder, described, said, purpose):
    describe(folder, **described)
    assert said in refused(folder, purpose)


def test_what_computes_with_whole_weights_is_refused_on_quantized_ones(tmp_path):
    folder = save_adapter_of(configured("LOHA"), tmp_path / "made")
    said = refused(folder, model=ModelConfig(quantization="nf4"))
    assert "LOHA" in said and "model.quantization: nf4" in said


KINDS = ("LORA", "LOHA", "LOKR", "IA3", "VERA", "OFT", "BOFT", "LN_TUNING", "TRAINABLE_TOKENS")


@pytest.fixture(scope="module")
def of_kinds(tmp_path_factory):
    """A folder of each kind, and of some LoRA that is more than LoRA."""
    place = tmp_path_factory.mktemp("kinds")
    made = {kind: save_adapter_of(configured(kind), place / kind) for kind in KINDS}
    more = {
        "whole": {"modules_to_save": ["modality_projection"]},
        "dora": {"use_dora": True},
        "tokens": {"trainable_token_indices": {"embed_tokens": [5, 6, 7]}},
        "biases": {"bias": "all"},
        "other biases": {"bias": "lora_only", "target_modules": ["q_proj"]},
    }
    for name, settings in more.items():
        made[name] = save_adapter_of(configured("LORA", **settings), place / name)
    return made


def test_every_kind_takes_its_turn_in_chat_and_leaves_the_base_as_it_was(of_kinds):
    """Each answers as PEFT alone makes it answer, whichever came before."""
    base = load_model(EMBEDDED).model
    shelf, before = AdapterShelf(base, EMBEDDED), logits(base)
    twice = [*of_kinds.items(), *list(of_kinds.items())[::-1]]
    wanted = {
        name: logits(PeftModel.from_pretrained(load_model(EMBEDDED).model, folder))
        for name, folder in of_kinds.items()
    }
    for name, folder in twice:
        shelf.activate(folder)
        assert torch.allclose(logits(base), wanted[name], atol=1e-5), name
        assert not torch.allclose(wanted[name], before, atol=1e-3), name
        shelf.activate(None)
        assert torch.equal(logits(base), before), name


def test_several_lora_adapters_stay_in_memory_beside_each_other(of_kinds):
    shelf = AdapterShelf(load_model(EMBEDDED).model, EMBEDDED)
    for name in ("LORA", "dora", "whole", "biases", "other biases"):
        shelf.activate(of_kinds[name])
    assert len(shelf.folders) == 5
    shelf.activate(of_kinds["LOHA"])
    assert shelf.folders == [of_kinds["LOHA"]]


def test_a_refused_adapter_leaves_the_shelf_usable(of_kinds, folder):
    base = load_model(EMBEDDED).model
    shelf = AdapterShelf(base, EMBEDDED)
    shelf.activate(of_kinds["LORA"])
    wanted = logits(base)
    (folder / WEIGHTS).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ModelError, match="damaged"):
        shelf.activate(folder)
    shelf.activate(of_kinds["LORA"])
    assert not shelf.spoiled and torch.equal(logits(base), wanted)
