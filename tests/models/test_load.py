"""Loading the base model, in full and quantized."""

import shutil

import pytest
import torch

from studio.config import run_file
from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.load import load_model, skeleton_of


def test_attention_that_a_model_lacks_is_refused(monkeypatch):
    assert skeleton_of(ModelConfig(attention="eager")).config._attn_implementation == "eager"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.PreTrainedModel._supports_sdpa", False)
        patch.setattr("transformers.Idefics3ForConditionalGeneration._supports_sdpa", False)
        patch.setattr("transformers.Idefics3PreTrainedModel._supports_sdpa", False)
        with pytest.raises(ModelError, match="no sdpa attention") as caught:
            skeleton_of(ModelConfig(attention="sdpa"))
    assert caught.value.field == "model.attention" and caught.value.remedy == "Use auto."


@pytest.mark.parametrize("quantization", ["int8", "nf4", "fp4"])
def test_quantized_models_keep_their_head(quantization):
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    model = load_model(ModelConfig(quantization=quantization)).model
    quantized = [m for m in model.modules() if isinstance(m, (Linear4bit, Linear8bitLt))]
    assert quantized
    assert not isinstance(model.get_output_embeddings(), (Linear4bit, Linear8bitLt))


def test_an_evaluation_between_two_steps_leaves_nf4_gradients_as_they_are():
    model = load_model(ModelConfig(quantization="nf4")).model
    embeddings = model.get_input_embeddings()
    embeddings.weight.requires_grad_(True)
    ids = torch.arange(2, 14).unsqueeze(0)

    def gradient() -> torch.Tensor:
        embeddings.weight.grad = None
        model.train()
        model(input_ids=ids, labels=ids).loss.backward()
        return embeddings.weight.grad.clone()

    before = gradient()
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    assert before.abs().sum() > 0
    torch.testing.assert_close(gradient(), before)


def test_pickled_base_weights_are_refused(tmp_path):
    from studio.core.paths import TINY_VLM

    shutil.copytree(TINY_VLM, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load_model(run_file.parse({"model": {"id": str(tmp_path / "model")}}).model)
