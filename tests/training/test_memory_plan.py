"""The memory plan against formulas worked out by hand, and against what tensors really take."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from studio.cli.plan import describe
from studio.config import presets, run_file
from studio.config.probes import LaunchConfig
from studio.config.training import SAVINGS
from studio.core.errors import ConfigError
from studio.core.paths import Workspace
from studio.models.load import skeleton_of
from studio.models.model_source import load_processor
from studio.runs.lr_range_result import RateSpan
from studio.runs.run_plan import MemoryPlan, Plan
from studio.training.lr_range_test import short_run
from studio.training.planning.batch_finder import find_batch_size
from studio.training.planning.device_memory import GIB, Target
from studio.training.planning.dry_step import Measured, calibrated
from studio.training.planning.dry_step_cache import recall, remember
from studio.training.planning.dry_step_worker import _two_steps, dry_step
from studio.training.planning.largest_rows import sample_rows
from studio.training.planning.memory_estimate import LargestBatch, adapted, estimate
from studio.training.planning.optimizer_memory import optimizer_bytes, projected_weights
from studio.training.planning.preflight_plan import checked, plan_run, preflight
from studio.training.planning.suggestions import WhatIf
from studio.training.planning.weight_memory import quantized_modules, weight_bytes

OFF = dict.fromkeys(SAVINGS, "off")


@pytest.fixture(scope="module")
def runner(shared_runner):
    """One workspace for all: a step that was traced for one test is known to the next."""
    return shared_runner


@pytest.fixture(scope="module")
def usual(runner):
    """A configuration and its plan, as `runner.config()` has them."""
    config = runner.config()
    return config, plan_run(config, runner.workspace)[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adamw_torch", 2 * 4 * 10_100),
        ("adamw_8bit", 2 * (10_000 + 4 * 40) + 2 * 4 * 100),
        ("lion_8bit", 10_000 + 4 * 40 + 4 * 100),
        ("adafactor", 4 * 200 + 4 * 100),
        ("sgd", 0),
        ("ademamix", 3 * 4 * 10_100),
        ("grokadamw", 3 * 4 * 10_100),
        ("schedule_free_adamw", 2 * 4 * 10_100),
        ("schedule_free_sgd", 4 * 10_100),
        ("adamw_torch_4bit", 2 * (5_000 + 4 * 79) + 2 * 4 * 100),
        ("lomo", 0),
        ("adalomo", 4 * 200 + 4 * 100),
    ],
)
def test_optimizer_state_by_hand(name, expected):
    parameters = [nn.Parameter(torch.empty(100, 100)), nn.Parameter(torch.empty(100))]
    assert optimizer_bytes(name, parameters) == expected


def test_state_of_projected_matrices_by_hand():
    head, layer = nn.Linear(300, 900, bias=False), nn.Linear(300, 900)
    model = nn.ModuleList([layer, head])
    rest = 2 * 4 * (900 + 300 * 900)
    for name in ("galore_adamw", "apollo_adamw"):
        projected = projected_weights(name, model, head)
        assert projected == {id(layer.weight)}
        state = optimizer_bytes(name, model.parameters(), projected)
        assert state == 4 * (2 * 128 * 900 + 128 * 300) + rest
    assert projected_weights("adamw_torch", model, head) == set()


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
def test_weights_take_what_the_loaded_model_takes(quantization):
    from studio.models.load import load_model

    config = run_file.parse({"model": {"quantization": quantization, "dtype": "float32"}}).model
    skeleton = skeleton_of(config)
    loaded = load_model(config).model
    held = sum(p.numel() * p.element_size() for p in loaded.parameters())
    held += sum(b.numel() * b.element_size() for b in loaded.buffers())
    planned = weight_bytes(config, skeleton, torch.float32)
    modules = quantized_modules(config, skeleton, torch.float32)
    assert bool(modules) == (quantization != "none")
    assert planned == pytest.approx(held, rel=0.08)


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


def test_what_does_not_fit_is_said_with_what_would(runner):
    config = runner.config(speed=OFF, batch={"per_device": 4, "total": 4})
    need = plan_run(config, runner.workspace, Target.gpu(24))[0].memory
    small = Target("cuda", need.total - need.activations // 2)
    plan, _ = plan_run(config, runner.workspace, small)
    assert not plan.fits and "needs" in plan.warnings[0]
    best = plan.suggestions[0]
    assert best.total <= small.memory and best.changes
    assert "fits" in best.effect


def test_a_device_too_small_for_any_plan_is_refused(runner):
    config = runner.config(method="dpo", batch={"per_device": 4, "total": 4})
    with pytest.raises(ConfigError) as caught:
        plan_run(config, runner.workspace, Target.parsed("64MB"))
    problem = caught.value.problems[0]
    assert caught.value.exit_code == 2 and problem.field == "model.id"
    assert "of 0.06 GiB: the smallest (batch.per_device: 1" in problem.message
    assert "gradient_checkpointing: true" in problem.message
    assert "smaller model" in problem.remedy
    needed = float(problem.message.split("needs ")[1].split()[0])
    roomy = Target("cuda", int((needed + 0.01) * GIB))
    plan, _ = plan_run(config, runner.workspace, roomy)
    assert any(item.total <= roomy.memory for item in plan.suggestions) or plan.fits


@pytest.mark.parametrize(
    ("text", "size"), [("8", 8 * GIB), ("7.5GiB", 7.5 * GIB), ("512 mb", GIB // 2)]
)
def test_device_memory_is_read_as_gpus_are_sold(text, size):
    assert Target.parsed(text) == Target("cuda", size)


@pytest.mark.parametrize("text", ["much", "0GB", "-8", ""])
def test_device_memory_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="Write it as 8GB"):
        Target.parsed(text)


def test_a_dry_step_puts_the_plan_right(usual):
    _, plan = usual
    for peak in (plan.memory.total + 10**9, plan.memory.total // 2):
        fixed = calibrated(plan, Measured(peak, 1.5))
        assert fixed.memory.total == fixed.peak_measured == peak
        assert fixed.total_planned == plan.memory.total
        before, after = plan.memory, fixed.memory
        assert (after.weights, after.optimizer) == (before.weights, before.optimizer)
        share = before.activations / (before.activations + before.overhead)
        assert after.activations / (after.activations + after.overhead) == pytest.approx(share)
        assert fixed.seconds_per_step == 1.5
    assert "ran out" in calibrated(plan, Measured(None, None)).warnings[0]


def test_a_dry_step_is_remembered_for_the_same_settings_only(runner, usual, tmp_path):
    (config, plan), workspace = usual, Workspace.locate(tmp_path)
    remember(config, plan, Measured(plan.memory.total + 10**9, 2.0), workspace)
    again, _ = plan_run(config, workspace)
    assert again.peak_measured == again.memory.total == plan.memory.total + 10**9
    assert again.seconds_per_step == 2.0
    renamed = config.model_copy(update={"name": "another"})
    assert recall(renamed, plan, workspace) is not None
    larger = runner.config(batch={"per_device": 2, "total": 4})
    assert recall(larger, plan, workspace) is None
    assert recall(config, replace(plan, tokens_max=9999), workspace) is None
    (note,) = workspace.dry_steps.iterdir()
    note.write_text("{", encoding="utf-8")
    assert recall(config, plan, workspace) is None


def test_all_batches_of_a_step_are_held(runner):
    """The trainer collects them before the first pass."""
    kept = []
    for total in (4, 40):
        config = runner.config(speed=OFF, batch={"per_device": 4, "total": total})
        found = preflight(config, runner.workspace)
        kept.append((found.plan.memory.activations, found.inputs))
    assert kept[0][1] == kept[1][1] > 0
    assert kept[1][0] - kept[0][0] == 9 * kept[0][1]


def test_the_longest_rows_are_found(runner):
    from studio.training.run_rows import load_run_data

    config = presets.load("embedded-dpo")
    data = load_run_data(config, runner.workspace)
    processor = load_processor(config.model)
    sample = sample_rows(data, processor, "dpo")
    assert sample.tokens[sample.largest[0]] == max(sample.tokens.values())
    assert sample.tokens[sample.largest[0]] >= max(sample.spread)


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


def test_reference_needs_a_second_model_only_without_an_adapter(runner):
    memory = {}
    for adapter in ({"rank": 4}, None):
        config = runner.config(method="dpo", adapter=adapter)
        made = estimate(
            config, runner.workspace, None, LargestBatch([], 2, 80), torch.float32, Target.gpu(8)
        )
        memory[adapter is None] = made.memory
    assert memory[False].reference == 0
    assert memory[True].reference == memory[True].weights
    assert isinstance(memory[True], MemoryPlan) and memory[True].adapter == 0
    assert Target.gpu(8).memory == 8 * GIB


def test_processes_exchange_gradients_and_a_measured_difference_reaches_suggestions(runner):
    batch, gpu = LargestBatch([], 2, 80), Target.gpu(8)
    config = runner.config(method="dpo")
    both = config.model_copy(update={"launch": LaunchConfig(processes=2)})
    made = [
        estimate(each, runner.workspace, None, batch, torch.float32, gpu).memory
        for each in (config, both)
    ]
    assert made[1].gradients == 2 * made[0].gradients and made[1].adapter == made[0].adapter
    what_if = WhatIf(config, runner.workspace, None, batch, torch.float32, gpu)
    corrected = replace(what_if, correction=10**6)
    assert corrected.total(config) == what_if.total(config) + 10**6 == made[0].total + 10**6


def test_a_plan_is_for_where_the_run_goes(runner):
    """A job's GPU; a share of main memory for each of several processes here."""
    engines = {"hf-jobs:l4x1": 24, "hf-jobs:l40sx4": 48, "hf-jobs:a100-large": 80}
    for engine, gigabytes in engines.items():
        start = checked(runner.config(launch={"engine": engine}), runner.workspace)
        assert start.target == Target.gpu(gigabytes) and not start.here
    alone = checked(runner.config(), runner.workspace).target
    two = checked(runner.config(launch={"processes": 2}, batch={"per_device": 2}), runner.workspace)
    assert two.here and two.target.memory == alone.memory // 2
    assert two.target.place == "a process's share of this machine"
    assert Target.gpu(8).shared(2) == Target.gpu(8)
    sent = runner.config(launch={"engine": "hf-jobs:l4x1"})
    with pytest.raises(ConfigError, match="this machine") as caught:
        dry_step(sent, runner.workspace)
    assert caught.value.field == "launch.engine"


def test_a_job_on_hardware_of_unknown_size_is_planned_and_not_refused(runner):
    sent = runner.config(launch={"engine": "hf-jobs:cpu-xl"})
    plan, _ = plan_run(sent, runner.workspace)
    assert plan.fits and (plan.device, plan.device_memory, plan.suggestions) == ("cpu", 0, [])
    assert any("cpu-xl has is not known" in text for text in plan.warnings)
    assert "GiB, planned" in describe(plan) and " of 0.0" not in describe(plan)
    assert Target.of_flavor("quantum-large") == Target("cuda", 0)
    with pytest.raises(ConfigError, match="--device-memory"):
        find_batch_size(sent, runner.workspace)


def test_what_is_tried_here_is_tried_by_one_process_at_the_whole_batch(runner):
    config = runner.config(
        launch={"processes": 2, "engine": "hf-jobs:l4x4"}, batch={"per_device": 2, "total": 8}
    )
    short = short_run(config, RateSpan())
    assert (short.accumulation, short.launch.engine) == (4, "local")
    two = _two_steps(config, 2, 2)
    assert (two.accumulation, two.launch.processes) == (2, 1)
