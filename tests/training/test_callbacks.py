"""Ending with the checkpoint that scored best, and stopping by the score that was chosen."""

import math
from dataclasses import replace

import pytest
import torch
from transformers import TrainerControl, TrainerState

from studio.core.errors import RunFailedError
from studio.runs import checkpoints
from studio.runs.curves import Diary
from studio.runs.status import read_status, write_status
from studio.training.callbacks import EarlyStopping, RunReporter


def test_the_best_checkpoint_is_kept_and_ends_the_run(runner):
    """The rate is far too high, so that the first evaluation is the best one."""
    config = runner.config(
        data={"source": "embedded:sft", "train": "train[:8]", "evaluation": "evaluation[:4]"},
        optimizer={"learning_rate": 0.5},
        schedule={
            "max_steps": 3,
            "evaluate_every": 1,
            "save_every": 1,
            "keep": 1,
            "keep_best": True,
        },
    )
    run, outcome = runner.run(config)
    scores = runner.values(run, "eval_loss", "evaluation")
    best = scores.index(min(scores)) + 1
    assert outcome == "finished" and best < 3
    kept = {checkpoints.step_of(folder) for folder in checkpoints.complete_checkpoints(run.paths)}
    assert kept == {best, 3}
    last, first, saved = (
        (folder / "adapter_model.safetensors").read_bytes()
        for folder in (
            run.paths.checkpoints / "checkpoint-3",
            run.paths.checkpoints / f"checkpoint-{best}",
            run.paths.adapter,
        )
    )
    assert saved == first != last


def test_early_stopping_counts_the_score_that_was_chosen(runner):
    paths = runner.store.create(runner.config()).paths
    for metric, falling, rising in (("loss", 0, 2), ("rewards/accuracies", 2, 0)):
        for values, waited in (((3.0, 2.0, 1.0), falling), ((1.0, 2.0, 3.0), rising)):
            stopping = EarlyStopping(paths, 5, metric)
            for value in values:
                stopping._count(value)
            assert stopping.waited == waited
            stopping._count(math.nan)
            assert stopping.waited == waited + 1
    control, state = TrainerControl(), TrainerState(max_steps=8)
    stopping = EarlyStopping(paths, 1)
    for state.global_step, stops in ((2, False), (8, False), (4, True)):
        stopping.on_evaluate(None, state, control, metrics={"eval_loss": 1.0})
        assert control.should_training_stop is stops, "a run at its end is not stopped early"


def test_a_long_step_is_no_silence(shared_runner):
    run = shared_runner.store.create(shared_runner.config())
    write_status(run.paths, replace(run.status, stage="loading", updated=0.0))
    RunReporter(run.paths, keep=1).on_substep_end(None, None, None)
    assert read_status(run.paths).stage == "training" and read_status(run.paths).updated > 0


def test_a_loss_that_is_no_number_ends_the_run_and_is_shown(shared_runner):
    from transformers import TrainerState

    run = shared_runner.store.create(shared_runner.config())
    reporter = RunReporter(run.paths, keep=1)
    with pytest.raises(RunFailedError, match="loss became nan at step 3") as caught:
        reporter.on_log(None, TrainerState(global_step=3), None, {"loss": float("nan")})
    assert "checkpoint is kept" in caught.value.remedy and "Clone" in caught.value.remedy
    assert caught.value.field == "optimizer.learning_rate"
    assert Diary(run.paths.events).refresh().not_finite == {"loss": 3}


def test_weights_are_checked_for_numbers():
    from studio.training.callbacks import weights_are_finite

    layer = torch.nn.Linear(2, 2)
    assert weights_are_finite(layer)
    layer.weight.data[0, 0] = float("nan")
    assert not weights_are_finite(layer)
