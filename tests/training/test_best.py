"""Ending with the checkpoint that scored best, and stopping by the score that was chosen."""

import math

from transformers import TrainerControl, TrainerState

from studio.runs import checkpoints
from studio.training.callbacks import EarlyStopping


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
