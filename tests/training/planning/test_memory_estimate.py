"""Memory of weights, gradients, optimizer and reference."""

from dataclasses import replace

import torch

from studio.config.launch import LaunchConfig
from studio.config.speed import SAVINGS
from studio.runs.run_plan import MemoryPlan
from studio.training.planning.device_memory import GIB, Target
from studio.training.planning.memory_estimate import LargestBatch, estimate
from studio.training.planning.preflight_plan import preflight
from studio.training.planning.suggestions import WhatIf

OFF = dict.fromkeys(SAVINGS, "off")


def test_all_batches_of_a_step_are_held(runner):
    """The trainer collects them before the first pass."""
    kept = []
    for total in (4, 40):
        config = runner.config(speed=OFF, batch={"per_device": 4, "total": total})
        found = preflight(config, runner.workspace)
        kept.append((found.plan.memory.activations, found.inputs))
    assert kept[0][1] == kept[1][1] > 0
    assert kept[1][0] - kept[0][0] == 9 * kept[0][1]


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
