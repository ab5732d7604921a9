"""Every recipe that ships must be a run file, contradict nothing and say where it is from."""

import math

import pytest

from studio.config.presets import get_preset, list_presets
from studio.config.setting_conflicts import problems
from studio.core.errors import NotFoundError

NAMES = [preset.name for preset in list_presets()]
EXPECTED = {
    "embedded-sft",
    "embedded-dpo",
    "course-training-arguments",
    "smol-course-sft-chartqa",
    "cookbook-qwen2vl-sft-chartqa",
    "cookbook-smolvlm-sft-chartqa",
    "cookbook-smolvlm-dpo-rlaifv",
    "cookbook-qwen25vl-mpo-rlaifv",
    "granite-vision-sft",
    "blog-idefics2-dpo-rlaifv",
    "smolvlm-finetune-vqav2",
}


def test_all_reference_recipes_ship():
    assert set(NAMES) >= EXPECTED


@pytest.mark.parametrize("name", NAMES)
def test_recipe_can_be_run(name):
    config = get_preset(name).config()
    assert config.name == name
    assert problems(config) == []


@pytest.mark.parametrize("name", NAMES)
def test_recipe_names_its_source(name):
    preset = get_preset(name)
    assert preset.about.endswith(".")
    assert "# Source: " in preset.path.read_text(encoding="utf-8")


SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
NF4 = {"quantization": "nf4", "double_quantization": True, "dtype": "bfloat16"}
CHARTQA = {"source": "HuggingFaceM4/ChartQA"}
TENTH = CHARTQA | {"train": "train[:10%]", "evaluation": "val[:10%]"}
RLAIF = {"source": "HuggingFaceH4/rlaif-v_formatted"}
QV = {"rank": 8, "alpha": 16, "dropout": 0.05, "targets": ["q_proj", "v_proj"], "dora": False}
DORA = {
    "rank": 8, "alpha": 8, "dropout": 0.1, "targets": SEVEN, "dora": True, "init": "gaussian",
}  # fmt: skip
FIGURES = {
    "course-training-arguments": {
        "model": {"dtype": "bfloat16"},
        "batch": {"per_device": 4, "total": 64, "gradient_checkpointing": True},
        "optimizer": {"learning_rate": 5e-5},
        "schedule": {"epochs": 3, "save_every": 1000, "log_every": 50},
    },
    "smol-course-sft-chartqa": {
        "model": {"id": "HuggingFaceTB/SmolVLM-Instruct"} | NF4,
        "data": CHARTQA | {"train": "train", "evaluation": "test"},
        "adapter": QV,
        "batch": {"per_device": 1, "total": 16, "gradient_checkpointing": True},
        "optimizer": {
            "name": "adamw_torch_fused", "learning_rate": 2e-4, "schedule": "constant",
            "warmup": 0.03, "max_grad_norm": 0.3,
        },
        "schedule": {"epochs": 3, "log_every": 5, "save_every": math.ceil(28_299 / 16)},
    },
    "cookbook-qwen2vl-sft-chartqa": {
        "model": {"id": "Qwen/Qwen2-VL-7B-Instruct"} | NF4,
        "data": TENTH,
        "adapter": QV,
        "batch": {"per_device": 4, "total": 32},
        "optimizer": {
            "name": "adamw_torch_fused", "learning_rate": 2e-4, "warmup": 0.03,
            "max_grad_norm": 0.3,
        },
        "schedule": {"epochs": 3, "log_every": 10, "evaluate_every": 10, "save_every": 20},
    },
    "cookbook-smolvlm-sft-chartqa": {
        "model": {"id": "HuggingFaceTB/SmolVLM-Instruct"} | NF4,
        "data": TENTH,
        "adapter": DORA,
        "batch": {"per_device": 4, "total": 16},
        "optimizer": {"learning_rate": 1e-4, "warmup": 50, "weight_decay": 0.01},
        "schedule": {"epochs": 1, "log_every": 25, "save_every": 25, "keep": 1},
    },
    "cookbook-smolvlm-dpo-rlaifv": {
        "method": "dpo",
        "model": {"id": "HuggingFaceTB/SmolVLM-Instruct"} | NF4,
        "data": RLAIF | {"train": "train[:6%]", "evaluation": "test[:1%]"},
        "adapter": DORA,
        "batch": {"per_device": 1, "total": 32, "gradient_checkpointing": True},
        "optimizer": {"learning_rate": 5e-6},
        "schedule": {
            "epochs": 5, "log_every": 10, "evaluate_every": 10, "save_every": 10, "keep": 1,
        },
        "dpo": {"losses": {"sigmoid": 1.0}, "beta": 0.1},
        "speed": {"workers": 8},
    },
    "cookbook-qwen25vl-mpo-rlaifv": {
        "method": "dpo",
        "model": {"id": "Qwen/Qwen2.5-VL-3B-Instruct"} | NF4,
        "data": RLAIF | {"train": "train[:5%]"},
        "adapter": DORA,
        "batch": {"per_device": 4, "total": 32},
        "schedule": {"epochs": 1},
        "dpo": {"losses": {"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}},
    },
    "granite-vision-sft": {
        "model": {
            "id": "ibm-granite/granite-vision-3.1-2b-preview",
            "skip_modules": ["vision_tower", "lm_head"],
        } | NF4,
        "data": {
            "source": "euclid-multimodal/Geoperception", "where": {"predicate": "LineComparison"},
        },
        "adapter": {"rank": 8, "alpha": 8, "dropout": 0.1, "dora": True, "targets": "language"},
        "batch": {"per_device": 8, "total": 16},
        "optimizer": {"learning_rate": 1e-4, "warmup": 10, "weight_decay": 0.01},
        "schedule": {"epochs": 1},
    },
    "blog-idefics2-dpo-rlaifv": {
        "method": "dpo",
        "model": {
            "id": "HuggingFaceM4/idefics2-8b", "dtype": "bfloat16", "quantization": "none",
            "image": {"longest_edge": 980 // 2, "split": False},
        },
        "data": RLAIF,
        "adapter": {"targets": "all-linear"},
        "batch": {"per_device": 2, "total": 64, "gradient_checkpointing": True},
        "schedule": {"epochs": 1},
    },
    "smolvlm-finetune-vqav2": {
        "model": {"id": "HuggingFaceTB/SmolVLM-Base"} | NF4,
        "data": {"source": "merve/vqav2-small"},
        "adapter": {"rank": 8, "alpha": 8, "dropout": 0.1, "targets": SEVEN, "dora": False},
        "batch": {"per_device": 4, "total": 16},
        "optimizer": {
            "name": "paged_adamw_8bit", "learning_rate": 1e-4, "warmup": 50, "weight_decay": 0.01,
        },
        "schedule": {"epochs": 1},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_reference_recipe_has_the_figures_of_its_source(name):
    preset = get_preset(name)
    values = preset.config().model_dump()
    for section, expected in FIGURES[name].items():
        found = values[section]
        if isinstance(expected, dict):
            found = {key: found[key] for key in expected}
            expected = {
                key: found[key] | value if key == "image" else value
                for key, value in expected.items()
            }
        assert found == expected, section


def test_learning_rates_that_sources_leave_out_are_said():
    for name in ("cookbook-smolvlm-dpo-rlaifv", "cookbook-qwen25vl-mpo-rlaifv"):
        text = get_preset(name).path.read_text(encoding="utf-8")
        assert "learning rate" in text.split("name:")[0]


def test_chart_recipes_ask_for_short_answers():
    for name in NAMES:
        if name.endswith("sft-chartqa"):
            said = get_preset(name).config().data.system_prompt
            assert said.startswith("You are a Vision Language Model specialized in interpreting")
            assert "concise answers" in said


def test_unknown_recipe_lists_the_known_ones():
    with pytest.raises(NotFoundError, match="embedded-sft"):
        get_preset("no-such")
