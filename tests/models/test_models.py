"""Loading, quantizing and adapting the embedded model."""

import json
import shutil

import pytest
import torch
from torch import nn
from transformers import AutoProcessor, LlamaConfig

from studio.config import run_file
from studio.config.adapter import TARGET_GROUPS, AdapterConfig
from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.adapter_config import inspect_adapter
from studio.models.devices import device_problems
from studio.models.load import load_model, skeleton_of
from studio.models.model_source import load_config, load_processor
from studio.models.targets import matched_modules, matched_per_tower, target_modules
from studio.models.towers import find_towers


@pytest.fixture(scope="module")
def skeleton():
    return skeleton_of(ModelConfig())


def test_the_towers_of_the_embedded_model(skeleton):
    towers = find_towers(skeleton)
    assert towers.of(towers.vision) == "vision"
    assert towers.of(f"{towers.language}.layers.0") == "language"
    assert towers.of("model.connector.modality_projection.proj") == "projector"
    assert towers.of("lm_head") == "head"


@pytest.mark.parametrize(
    ("targets", "towers"),
    [
        ("language", {"language"}),
        ("vision+language", {"vision", "language"}),
        ("vision", {"vision"}),
        ("projector + language", {"projector", "language"}),
        ("all-linear", {"vision", "projector", "language"}),
        (["q_proj"], {"vision", "language"}),
        (r"model\.text_model\..*\.down_proj", {"language"}),
    ],
)
def test_targets_hit_the_towers_they_name(skeleton, targets, towers):
    matched = matched_modules(skeleton, AdapterConfig(targets=targets))
    counts = matched_per_tower(skeleton, matched)
    assert {tower for tower, count in counts.items() if count} == towers


def test_peft_hits_exactly_what_the_plan_says(skeleton):
    from peft import LoraConfig, get_peft_model

    for targets in (*TARGET_GROUPS, ["q_proj", "v_proj"]):
        adapter = AdapterConfig(targets=targets)
        wanted = set(matched_modules(skeleton, adapter))
        model = get_peft_model(
            skeleton_of(ModelConfig()), LoraConfig(target_modules=target_modules(skeleton, adapter))
        )
        assert set(model.targeted_module_names) == wanted


@pytest.mark.parametrize("targets", [["nothing"], "no.such.*", ["q_proj", "nothing"], "("])
def test_targets_that_match_nothing_are_refused(skeleton, targets):
    with pytest.raises(ModelError) as caught:
        matched_modules(skeleton, AdapterConfig(targets=targets))
    assert caught.value.field == "adapter.targets" and caught.value.remedy


def test_a_chosen_part_without_a_linear_layer_is_named():
    bare = skeleton_of(ModelConfig())
    bare.model.vision_model.encoder.layers = nn.ModuleList()
    assert matched_modules(bare, AdapterConfig(targets="language"))
    for targets in ("vision", "vision+language", "all-linear"):
        with pytest.raises(ModelError, match="no linear layer in the vision part") as caught:
            matched_modules(bare, AdapterConfig(targets=targets))
        assert caught.value.field == "adapter.targets" and caught.value.remedy


def test_attention_that_a_model_lacks_is_refused(monkeypatch):
    assert skeleton_of(ModelConfig(attention="eager")).config._attn_implementation == "eager"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.PreTrainedModel._supports_sdpa", False)
        patch.setattr("transformers.Idefics3ForConditionalGeneration._supports_sdpa", False)
        patch.setattr("transformers.Idefics3PreTrainedModel._supports_sdpa", False)
        with pytest.raises(ModelError, match="no sdpa attention") as caught:
            skeleton_of(ModelConfig(attention="sdpa"))
    assert caught.value.field == "model.attention" and caught.value.remedy == "Use auto."


def test_a_text_only_model_is_refused(tmp_path):
    LlamaConfig(hidden_size=64, num_hidden_layers=1).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="text-only") as caught:
        load_config(ModelConfig(id=str(tmp_path)))
    assert caught.value.field == "model.id"


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(ModelError) as caught:
        load_config(ModelConfig(id=str(tmp_path)))
    assert caught.value.field == "model.id" and "config.json" in caught.value.remedy


def test_foreign_code_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "odd", "auto_map": {"AutoConfig": "evil.Config"}})
    )
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="running code"):
        load_config(ModelConfig(id=str(tmp_path)))


def test_the_pixel_budget_reaches_the_processor():
    processor = load_processor(ModelConfig.model_validate({"image": {"longest_edge": 64}}))
    assert processor.image_processor.size["longest_edge"] == 64


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


def test_what_a_device_cannot_do_is_named_with_a_remedy(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    config = ModelConfig(quantization="nf4", attention="flash_attention_2", dtype="float16")
    found = device_problems(config, torch.device("cpu"))
    assert {problem.field for problem in found} == {
        "model.quantization",
        "model.attention",
        "model.dtype",
    }
    assert all(problem.remedy for problem in found)
    mps = device_problems(ModelConfig(quantization="int8"), torch.device("mps"))
    assert [problem.field for problem in mps] == ["model.quantization"]


def test_damaged_and_pickled_adapters_are_refused(tmp_path):
    with pytest.raises(ModelError, match="adapter_config"):
        inspect_adapter(tmp_path)
    for damaged in ("{", "[]", '{"r": "four"}', '{"r": [4]}'):
        (tmp_path / "adapter_config.json").write_text(damaged)
        with pytest.raises(ModelError, match="not readable"):
            inspect_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"r": 4}')
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="pickled"):
        inspect_adapter(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(ModelError, match="damaged"):
        inspect_adapter(tmp_path)


def test_a_package_that_a_model_needs_is_named(monkeypatch):
    def lacking(*_, **__):
        raise ImportError("\nSmolVLMProcessor requires the num2words library.\nInstall it.")

    monkeypatch.setattr(AutoProcessor, "from_pretrained", lacking)
    with pytest.raises(ModelError, match="not here: SmolVLMProcessor requires the num2words"):
        load_processor(ModelConfig())


def test_pickled_base_weights_are_refused(tmp_path):
    from studio.core.paths import TINY_VLM

    shutil.copytree(TINY_VLM, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        load_model(run_file.parse({"model": {"id": str(tmp_path / "model")}}).model)
