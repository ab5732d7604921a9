"""What is said of the learning rate before a run is trained for longer."""

import pytest

from studio.config import run_file
from studio.core.paths import Workspace, write_json
from studio.runs import checkpoints
from studio.runs.control import extend
from studio.runs.status import update_status
from studio.runs.store import RunStore


def ended(tmp_path, schedule, warmup=0.1):
    store = RunStore(Workspace.locate(tmp_path))
    config = {"optimizer": {"schedule": schedule, "learning_rate": 1e-3, "warmup": warmup}}
    run = store.create(run_file.parse({**config, "batch": {"per_device": 2, "total": 4}}))
    write_json(run.paths.plan, {"train_rows": 198})
    folder = run.paths.checkpoints / "checkpoint-50"
    folder.mkdir(parents=True)
    checkpoints.mark_complete(folder)
    update_status(run.paths, state="finished", step=50, total_steps=50)
    return store.get(run.run_id)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 7])
def test_rates_are_those_of_transformers(tmp_path, schedule, warmup):
    import torch
    from transformers import get_scheduler

    run = ended(tmp_path, schedule, warmup)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1e-3)
    steps = warmup if warmup >= 1 else round(warmup * 50)
    made = get_scheduler(schedule, optimizer, num_warmup_steps=steps, num_training_steps=50)
    for step in range(51):
        assert extend.rate(run.config, step, 50) == pytest.approx(made.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        made.step()


def test_the_jump_of_the_rate_is_told(tmp_path):
    run = ended(tmp_path, "linear")
    assert extend.steps_with(run, 2) == 100
    assert "at step 50 the learning rate goes from 0 to 0.00056" in extend.note(run, 100)


def test_schedules_without_a_length_have_nothing_to_tell(tmp_path):
    assert extend.note(ended(tmp_path, "constant"), 100) == ""
