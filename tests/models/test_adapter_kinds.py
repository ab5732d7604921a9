"""Kinds of adapters that cannot be used, and why."""

import pytest
import torch
from peft import PeftModel, PromptTuningConfig, get_peft_model

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.load import load_model
from tests.adapter_folders import configured, describe, reweigh, save_adapter_of
from tests.models.adapters_put_on import EMBEDDED, PURPOSES, loaded, logits, refused


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
