"""The memory plan against formulas worked out by hand, and against what tensors really take."""

import json

import pytest
import torch

from studio.cli.plan import describe
from studio.config import run_file
from studio.config.speed import SAVINGS
from studio.core.errors import ConfigError, DataError
from studio.core.paths import Workspace
from studio.models.load import skeleton_of
from studio.runs.run_plan import Plan
from studio.training.planning.batch_finder import find_batch_size
from studio.training.planning.device_memory import Target
from studio.training.planning.memory_estimate import adapted
from studio.training.planning.preflight_plan import plan_run, preflight

OFF = dict.fromkeys(SAVINGS, "off")


def test_peft_gets_the_parameters_that_the_plan_counts(runner):
    config = runner.config(adapter={"targets": "vision+language", "rank": 8})
    plan, _ = plan_run(config, runner.workspace)
    _, model = adapted(config, runner.workspace, torch.float32)
    assert plan.trainable_parameters == model.num_parameters(only_trainable=True)
    assert sum(tower.trainable for tower in plan.towers) == plan.trainable_parameters


def test_plan_goes_through_json(usual):
    _, plan = usual
    values = json.loads(json.dumps(plan.to_json()))
    assert Plan.from_json(values) == plan
    assert set(values["memory"]) == {
        "weights", "adapter", "gradients", "optimizer", "reference", "activations", "overhead",
        "total",
    }  # fmt: skip
    assert values["memory"]["total"] == sum(plan.memory.parts().values())
    assert set(values["modules"]["language"]) == {"matched", "trainable", "total"}
    assert values["seconds_per_step"] is None and values["peak_measured"] is None


def test_configuration_alone_is_enough(runner, usual, tmp_path):
    skeleton_of(run_file.parse({}).model).config.save_pretrained(tmp_path / "bare")
    bare, _ = plan_run(runner.config(model={"id": str(tmp_path / "bare")}), runner.workspace)
    _, full = usual
    assert bare.total_parameters == full.total_parameters
    assert bare.towers == full.towers
    assert bare.memory.weights == full.memory.weights
    assert 0.3 < bare.memory.activations / full.memory.activations < 3
    assert any("rough estimate" in text for text in bare.warnings)


def test_rows_are_planned_as_long_as_they_are_trained(runner):
    rows = {"source": "embedded:sft", "train": "train[:40]", "too_long": "cut_answer"}
    stock = runner.config(speed=OFF, data=rows)
    long, _ = plan_run(stock, runner.workspace)
    limit = long.tokens_max - 8
    short, _ = plan_run(
        runner.config(speed=OFF, data=rows | {"max_length": limit}), runner.workspace
    )
    assert short.tokens_max == limit and short.tokens_median <= limit
    assert short.memory.activations < long.memory.activations
    assert short.memory.weights == long.memory.weights
    assert any("are cut at" in text for text in short.warnings)
    assert not any("own path" in text for text in short.warnings), "it was chosen"


def test_what_takes_the_stock_path_is_said_in_the_plan(runner, usual):
    _, whole = usual
    assert "each image encoded once ✓" in whole.fast_path
    rows = {"source": "embedded:sft", "train": "train[:40]", "too_long": "cut_answer"}
    limited, _ = plan_run(runner.config(data=rows), runner.workspace)
    assert "data.too_long" in limited.fast_path and "✓" not in limited.fast_path
    assert any("TRL's own path" in text for text in limited.warnings)
    stock, _ = plan_run(runner.config(speed=OFF), runner.workspace)
    assert "switched off" in stock.fast_path
    assert Plan.from_json(json.loads(json.dumps(limited.to_json()))).fast_path == limited.fast_path


def test_a_job_on_hardware_of_unknown_size_is_planned_and_not_refused(runner):
    sent = runner.config(launch={"engine": "hf-jobs:cpu-xl"})
    plan, _ = plan_run(sent, runner.workspace)
    assert plan.fits and (plan.device, plan.device_memory, plan.suggestions) == ("cpu", 0, [])
    assert any("cpu-xl has is not known" in text for text in plan.warnings)
    assert "GiB, planned" in describe(plan) and " of 0.0" not in describe(plan)
    assert Target.of_flavor("quantum-large") == Target("cuda", 0)
    with pytest.raises(ConfigError, match="--device-memory"):
        find_batch_size(sent, runner.workspace)


def test_26_a_maximum_length_never_cuts_images(tmp_path):
    workspace = Workspace.locate(tmp_path / "workspace")
    rows = {"source": "embedded:sft", "train": "train[:4]", "too_long": "cut_answer"}
    whole = preflight(run_file.parse({"data": rows}), workspace).plan
    longest = whole.tokens_max
    cut = preflight(run_file.parse({"data": rows | {"max_length": longest - 1}}), workspace).plan
    (said,) = [text for text in cut.warnings if "are cut" in text]
    assert "never learn to end" in said and f"the longest row has {longest:,}" in said
    with pytest.raises(DataError, match="its question alone") as caught:
        preflight(run_file.parse({"data": rows | {"max_length": 20}}), workspace)
    assert caught.value.field == "data.source" and "longest_edge" in caught.value.remedy
