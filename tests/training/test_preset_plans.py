"""Every recipe is planned: its model by the architecture's own configuration, made small.

No weights and no hub: a folder with config.json of the recipe's family stands for the model, and
embedded rows for its data. Modules, targets, quantization and counts go the whole way.
"""

import json

import pytest
from transformers import CONFIG_MAPPING

from studio.config import run_file
from studio.config.presets import get_preset, list_presets
from studio.core.paths import Workspace
from studio.training.planning.device_memory import Target
from studio.training.planning.preflight_plan import plan_run

FAMILIES = {
    "HuggingFaceTB/SmolVLM-Base": "idefics3",
    "HuggingFaceTB/SmolVLM-Instruct": "idefics3",
    "HuggingFaceTB/SmolVLM-500M-Instruct": "idefics3",
    "HuggingFaceM4/idefics2-8b": "idefics2",
    "Qwen/Qwen2-VL-7B-Instruct": "qwen2_vl",
    "Qwen/Qwen2.5-VL-3B-Instruct": "qwen2_5_vl",
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2_5_vl",
    "ibm-granite/granite-vision-3.1-2b-preview": "llava_next",
}
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 4096,
}
TEXT = SMALL | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}
QWEN_TEXT = TEXT | {
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 64,
    "patch_size": 8,
}
QWEN2 = {"embed_dim": 32, "hidden_size": 64, "depth": 2, "num_heads": 2, "patch_size": 8}
QWEN25 = {
    "hidden_size": 32,
    "out_hidden_size": 64,
    "intermediate_size": 64,
    "depth": 2,
    "num_heads": 2,
}
PARTS = {
    "idefics3": {"text_config": TEXT, "vision_config": VISION},
    "idefics2": {
        "text_config": TEXT,
        "vision_config": VISION,
        "perceiver_config": {"hidden_size": 64, "resampler_depth": 1, "resampler_n_heads": 4},
    },
    "qwen2_vl": {"text_config": QWEN_TEXT, "vision_config": QWEN2},
    "qwen2_5_vl": {"text_config": QWEN_TEXT, "vision_config": QWEN25},
    "llava_next": {
        "text_config": TEXT,
        "vision_config": VISION | {"model_type": "siglip_vision_model"},
    },
}
SOURCES = {"sft": "embedded:sft", "dpo": "embedded:preferences"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with config.json for each family."""
    folder = tmp_path_factory.mktemp("models")
    for family, parts in PARTS.items():
        (folder / family).mkdir()
        config = CONFIG_MAPPING[family](**parts)
        (folder / family / "config.json").write_text(json.dumps(config.to_dict(), default=str))
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace.locate(tmp_path_factory.mktemp("presets"))


OF_EMBEDDED = [preset.name for preset in list_presets() if preset.name.startswith("embedded")]


@pytest.mark.parametrize("name", OF_EMBEDDED)
def test_recipe_of_the_embedded_model_is_planned_without_a_warning(name, workspace):
    plan, _ = plan_run(get_preset(name).config(), workspace)
    assert plan.warnings == []


@pytest.mark.parametrize("name", [preset.name for preset in list_presets()])
def test_recipe_is_planned(name, models, workspace):
    config = next(p for p in list_presets() if p.name == name).config()
    values = config.model_dump(mode="json")
    if config.model.id != "embedded":
        values["model"]["id"] = str(models / FAMILIES[config.model.id])
    values["data"] = {
        "source": SOURCES[config.method],
        "train": "train[:8]",
        "evaluation": "25%" if config.data.evaluation else None,
    }
    plan, _ = plan_run(run_file.parse(values), workspace, Target.gpu(80))
    assert 0 < plan.trainable_parameters < plan.total_parameters
    assert plan.memory.total > plan.memory.weights > 0 and plan.steps >= 1
    matched = {tower.name: tower.matched for tower in plan.towers}
    assert matched["language"] > 0 and matched["head"] == 0
    if config.adapter.targets == "language":
        assert matched["vision"] == 0
    hit = [text for text in plan.warnings if "also match" in text]
    assert bool(hit) == (isinstance(config.adapter.targets, list) and matched["vision"] > 0)
    if hit:
        assert f"{matched['vision']} modules of the vision tower" in hit[0]
