"""What a run comes down to: plain values, and nothing of this machine that a script cannot have."""

import pytest

from studio.config import run_file
from studio.core.paths import Workspace, read_json
from studio.runs.store import RunStore
from studio.training.script_recipe import packages_of, write_recipe

VALUES = {
    "name": "small",
    "adapter": {"rank": 4, "alpha": 8},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:4]"},
    "optimizer": {"learning_rate": 2e-3},
    "schedule": {"max_steps": 3, "keep": 2},
}


class SmolVLMProcessor:
    """By its name only."""


def recipe(folder, **values):
    workspace = Workspace.locate(folder)
    run = RunStore(workspace).create(run_file.parse({**VALUES, **values}))
    write_recipe(run.config, run.paths, workspace)
    return read_json(run.paths.recipe)


def test_a_recipe_has_what_trl_and_peft_are_given(tmp_path):
    made = recipe(tmp_path)
    assert made["name"] == "small" and made["method"] == "sft" and made["processes"] == 1
    arguments = made["arguments"]
    assert (arguments["output_dir"], arguments["save_total_limit"]) == ("out", 2)
    assert (arguments["learning_rate"], arguments["max_steps"]) == (2e-3, 3)
    assert (made["adapter"]["r"], made["adapter"]["lora_alpha"]) == (4, 8)
    assert made["adapter"]["target_modules"].startswith("model\\.text_model"), "no class, no set"
    assert not {"base_model_name_or_path", "inference_mode"} & made["adapter"].keys()
    assert made["model"]["quantization"] is None and made["model"]["checkpoint"] is None
    assert made["reference"] is None and made["left_out"] == {"train": {}}
    assert str(tmp_path) not in str(made)


def test_all_weights_have_no_adapter(tmp_path):
    made = recipe(tmp_path, adapter=None)
    assert made["adapter"] is None and made["continue_from"] is None


@pytest.mark.parametrize(
    ("values", "packages"),
    [
        ({}, set()),
        ({"model": {"quantization": "nf4"}}, {"bitsandbytes"}),
        ({"report_to": ["wandb"]}, {"wandb"}),
        ({"optimizer": {"name": "adamw_8bit"}}, {"bitsandbytes"}),
    ],
)
def test_a_script_needs_what_its_settings_do(values, packages):
    config = run_file.parse({**VALUES, **values})
    assert set(packages_of(config, object())) == packages
    assert set(packages_of(config, SmolVLMProcessor())) == packages | {"num2words"}
