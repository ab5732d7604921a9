"""From the run file to the arguments of TRL's trainers."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from studio.config import run_file
from studio.core.paths import RunPaths
from studio.training.trainer_arguments import argument_values, schedule_values

SETTINGS = {"sft": {}, "dpo": {"data": {"source": "embedded:preferences"}}}


def values_of(tmp_path, method="sft", device="cpu", dtype=torch.float32, **sections):
    config = run_file.parse({"method": method} | SETTINGS[method] | sections)
    model = SimpleNamespace(
        config=SimpleNamespace(), named_modules=lambda: [("x", nn.Linear(1, 1))]
    )
    loaded = SimpleNamespace(model=model, device=torch.device(device), dtype=dtype)
    return argument_values(config, RunPaths(tmp_path), loaded)


def test_each_setting_reaches_its_argument(tmp_path):
    found = values_of(
        tmp_path,
        batch={"per_device": 2, "total": 16, "gradient_checkpointing": True},
        optimizer={"name": "lion_32bit", "learning_rate": 3e-4, "warmup": 5, "weight_decay": 0.1},
        schedule={"epochs": 2, "max_steps": None, "save_every": 7, "seed": 3},
    )
    assert found["per_device_train_batch_size"] == found["per_device_eval_batch_size"] == 2
    assert found["gradient_accumulation_steps"] == 8 and found["gradient_checkpointing"]
    assert (found["optim"], found["learning_rate"], found["warmup_steps"]) == (
        "lion_32bit",
        3e-4,
        5,
    )
    assert (found["num_train_epochs"], found["max_steps"], found["save_steps"]) == (2, -1, 7)
    assert (found["weight_decay"], found["seed"]) == (0.1, 3)
    assert found["completion_only_loss"] and found["output_dir"].endswith("checkpoints")


def test_a_mixture_of_losses_goes_with_its_weights(tmp_path):
    dpo = {"beta": 0.3, "losses": {"sigmoid": 0.8, "sft": 1.0}}
    found = values_of(tmp_path, "dpo", dpo=dpo)
    assert (found["loss_type"], found["loss_weights"]) == (["sigmoid", "sft"], [0.8, 1.0])
    assert found["beta"] == 0.3 and "completion_only_loss" not in found


@pytest.mark.parametrize(
    ("device", "dtype", "bf16", "workers"),
    [("cpu", torch.float32, False, 0), ("cuda", torch.bfloat16, True, 2)],
)
def test_the_device_decides_on_precision_and_workers(tmp_path, device, dtype, bf16, workers):
    found = values_of(tmp_path, device=device, dtype=dtype)
    assert (found["bf16"], found["fp16"]) == (bf16, False)
    assert found["dataloader_num_workers"] == workers
    assert (found["dataloader_prefetch_factor"] is None) is (workers == 0)
    on_cpu = device == "cpu"
    assert (found["use_cpu"], found["dataloader_pin_memory"]) == (on_cpu, not on_cpu)
    assert values_of(tmp_path, device=device, speed={"workers": 5})["dataloader_num_workers"] == 5


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        ({"schedule": "linear"}, {}),
        ({"schedule": "cosine_with_restarts", "cycles": 3}, {"num_cycles": 3}),
        ({"schedule": "cosine_with_min_lr", "lowest_rate": 0.2}, {"min_lr_rate": 0.2}),
    ],
)
def test_a_schedule_gets_what_it_takes_and_no_more(tmp_path, schedule, values):
    assert schedule_values(run_file.parse({"optimizer": schedule})) == values
    found = values_of(tmp_path, optimizer=schedule)
    assert found.get("lr_scheduler_kwargs", {}) == values


def test_an_evaluation_is_asked_for_only_where_there_are_rows_and_steps(tmp_path):
    rows = {"source": "embedded:sft", "evaluation": "25%"}
    assert values_of(tmp_path)["eval_strategy"] == "no"
    assert values_of(tmp_path, schedule={"evaluate_every": 5})["eval_strategy"] == "no"
    found = values_of(
        tmp_path, data=rows, schedule={"evaluate_every": 5, "save_every": 5, "keep_best": True}
    )
    assert (found["eval_strategy"], found["eval_steps"]) == ("steps", 5)
    assert found["load_best_model_at_end"] and found["metric_for_best_model"] == "eval_loss"
    assert found["greater_is_better"] is False
