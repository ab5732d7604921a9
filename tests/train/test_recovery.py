"""Memory running out for real errors at chosen moments: same rows, same batch, same losses."""

import json

import pytest
import torch
from transformers import Trainer

from studio.config import files
from studio.errors import RunFailedError
from studio.runs.events import read_events
from studio.train.fast.trainers import FastSFTTrainer
from studio.train.memory import dry_step
from studio.train.memory.devices import Target
from studio.train.memory.measure import RAN_OUT
from studio.train.plan import plan_run

STEPS = {"schedule": {"max_steps": 3, "save_every": 100}, "batch": {"per_device": 4, "total": 8}}


class Injector:
    """Raises `torch.OutOfMemoryError` at the calls it is told, and remembers the rows seen."""

    def __init__(self, monkeypatch, at=(), above=10**6):
        self.calls, self.at, self.above = 0, set(at), above
        self.seen = []
        plain = FastSFTTrainer.training_step

        def step(trainer, model, inputs, *args, **kwargs):
            self.calls += 1
            if self.calls in self.at or len(inputs["input_ids"]) > self.above:
                raise torch.OutOfMemoryError("injected")
            rows = [tuple(ids[ids != 2].tolist()) for ids in inputs["input_ids"]]
            self.seen.append((trainer.state.global_step, sorted(rows)))
            return plain(trainer, model, inputs, *args, **kwargs)

        monkeypatch.setattr(FastSFTTrainer, "training_step", step, raising=False)

    def rows_of_steps(self):
        found = {}
        for step, rows in self.seen:
            found.setdefault(step, []).extend(rows)
        return {step: sorted(rows) for step, rows in found.items()}


def changes(run):
    return [e.values for e in read_events(run.paths.events).events if e.type == "changed"]


def test_training_goes_on_from_the_last_complete_step(runner, monkeypatch):
    undisturbed = Injector(monkeypatch)
    first, _ = runner.run(runner.config(**STEPS))
    wanted = undisturbed.rows_of_steps()
    monkeypatch.undo()
    disturbed = Injector(monkeypatch, at={3})  # the first pass of the second step
    run, outcome = runner.run(runner.config(**STEPS))
    assert outcome == "finished"
    assert [change["per_device"] for change in changes(run)] == [2]
    assert disturbed.rows_of_steps() == wanted
    assert len([step for step, _ in disturbed.seen if step == 0]) == 2  # the first step ran once
    assert runner.values(run, "loss") == pytest.approx(runner.values(first, "loss"), rel=1e-3)
    saved = files.load(run.paths.config).batch
    assert (saved.per_device, saved.total) == (2, 8)


def test_checkpointing_comes_after_one_row_then_a_plain_end(runner, monkeypatch):
    Injector(monkeypatch, above=0)
    config = runner.config(batch={"per_device": 2, "total": 4})
    run = runner.store.create(config)
    from studio.train.run import execute

    with pytest.raises(RunFailedError) as caught:
        execute(config, run.paths, runner.workspace)
    assert "one row at once and gradient checkpointing" in caught.value.message
    assert "nf4" in caught.value.remedy and caught.value.field == "batch.per_device"
    assert [
        {name: c[name] for name in ("per_device", "gradient_checkpointing") if name in c}
        for c in changes(run)
    ] == [{"per_device": 1}, {"gradient_checkpointing": True}]
    assert files.load(run.paths.config).batch.gradient_checkpointing


def test_evaluation_halves_its_own_rows(runner, monkeypatch):
    plain = Trainer.prediction_step
    sizes = []

    def step(trainer, model, inputs, *args, **kwargs):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("injected")
        return plain(trainer, model, inputs, *args, **kwargs)

    monkeypatch.setattr(FastSFTTrainer, "prediction_step", step, raising=False)
    config = runner.config(data={"evaluation": "2%"}, schedule={"evaluate_every": 1})
    run, outcome = runner.run(config)
    assert outcome == "finished" and max(sizes) > 2
    assert "while evaluating" in changes(run)[0]["message"] and len(changes(run)) == 1
    assert len(runner.values(run, "eval_loss", "evaluation")) == 2
    assert len(runner.values(run, "loss")) == 2


def test_a_run_starts_with_what_its_plan_has_room_for(runner, monkeypatch):
    config = runner.config(batch={"per_device": 4, "total": 4})
    need = plan_run(config, runner.workspace)[0].memory
    room = Target("cpu", need.total - need.activations // 4)
    monkeypatch.setattr(Target, "here", lambda device: room)
    run, outcome = runner.run(config)
    assert outcome == "finished"
    (change,) = changes(run)
    assert change["per_device"] == 2 and "starts with 2" in change["message"]
    saved = files.load(run.paths.config).batch
    assert (saved.per_device, saved.total) == (2, 4)
    assert json.loads(run.paths.plan.read_text())["accumulation"] == 2


def test_a_dry_step_says_that_memory_ran_out_and_the_plan_keeps_it(runner, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(dry_step, "_train", fail)
    config = runner.config()
    answer = dry_step.dry_step(config, runner.workspace)
    assert answer == {"peak": None, "seconds_per_step": None}
    assert plan_run(config, runner.workspace)[0].warnings[0] == RAN_OUT
