"""Memory running out for real errors at chosen moments: same rows, same batch, same losses."""

import json

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer

from studio.config import run_file
from studio.config.setting_conflicts import cautions
from studio.core.errors import RunFailedError
from studio.runs.event_log import read_events
from studio.runs.run_plan import GIB, FoundBatch
from studio.training import model_setup, oom_recovery
from studio.training import run_training as run_module
from studio.training.fast_path.fast_trainers import FastDPOTrainer, FastSFTTrainer
from studio.training.oom_recovery import StepGuard, with_less_memory
from studio.training.planning import batch_finder, dry_step_worker
from studio.training.planning.batch_finder import possible_sizes
from studio.training.planning.device_memory import Target
from studio.training.planning.dry_step import RAN_OUT, Measured
from studio.training.planning.preflight_plan import plan_run
from studio.training.run_training import execute
from tests.training.fast_pair import assistant, user

STEPS = {"schedule": {"max_steps": 2, "save_every": 100}, "batch": {"per_device": 4, "total": 8}}


TRAINERS = {"sft": FastSFTTrainer, "dpo": FastDPOTrainer}


ANSWERS = {"sft": 1, "dpo": 2}


SOURCES = {"sft": "embedded:sft", "dpo": "embedded:preferences"}


FEW = {"source": "embedded:sft", "train": "train[:24]"}


PAD = 2


def on_a_gpu():
    """What the CUDA allocator raises."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def on_a_cpu():
    """What the CPU allocator raises, asked for more than there is."""
    torch.empty(2**58, dtype=torch.uint8)


class Injector:
    """Runs out of memory at the calls it is told, and remembers the rows seen."""

    def __init__(self, monkeypatch, method="sft", *, at=(), above=10**6, fail=on_a_gpu):
        self.calls, self.at = 0, set(at)
        self.seen = []
        trainer_class = TRAINERS[method]
        plain, most = trainer_class.training_step, above * ANSWERS[method]

        def step(trainer, model, inputs, *args, **kwargs):
            self.calls += 1
            if self.calls in self.at or len(inputs["input_ids"]) > most:
                fail()
            rows = [tuple(ids[ids != PAD].tolist()) for ids in inputs["input_ids"]]
            self.seen.append((trainer.state.global_step, sorted(rows)))
            return plain(trainer, model, inputs, *args, **kwargs)

        monkeypatch.setattr(trainer_class, "training_step", step, raising=False)

    def rows_of_steps(self):
        found = {}
        for step, rows in self.seen:
            found.setdefault(step, []).extend(rows)
        return {step: sorted(rows) for step, rows in found.items()}


def changes(run):
    return [e.values for e in read_events(run.paths.events).events if e.type == "changed"]


def ensure_saved_as_it_ended(run, per_device, total):
    """The run file and the recipe hold what the run ended with."""
    saved = run_file.load(run.paths.config).batch
    assert (saved.per_device, saved.total) == (per_device, total)
    arguments = json.loads(run.paths.recipe.read_text())["arguments"]
    assert arguments["per_device_train_batch_size"] == per_device
    assert arguments["gradient_accumulation_steps"] == total // per_device


class Undisturbed:
    """Runs that nothing happens to, made once for all tests that compare with them."""

    def __init__(self, runner) -> None:
        self.runner, self.known = runner, {}

    def config(self, method, **sections):
        data = {"source": SOURCES[method], "train": "train[:16]"}
        return self.runner.config(method=method, **STEPS | {"data": data} | sections)

    def of(self, config):
        """(rows of every step, losses, evaluation losses)."""
        key = run_file.dump(config)
        if key not in self.known:
            with pytest.MonkeyPatch.context() as patch:
                seen = Injector(patch, config.method)
                run, _ = self.runner.run(config)
            series = [("loss", "metrics"), ("eval_loss", "evaluation")]
            losses = [self.runner.values(run, name, kind) for name, kind in series]
            self.known[key] = (seen.rows_of_steps(), *losses)
        return self.known[key]


@pytest.fixture(scope="module")
def undisturbed(shared_runner):
    return Undisturbed(shared_runner)


@pytest.mark.parametrize(("method", "fail"), [("sft", on_a_cpu), ("dpo", on_a_gpu)])
def test_14_training_goes_on_from_the_last_complete_step(undisturbed, monkeypatch, method, fail):
    config, runner = undisturbed.config(method), undisturbed.runner
    rows, losses, _ = undisturbed.of(config)
    disturbed = Injector(monkeypatch, method, at={3}, fail=fail)  # first pass of the second step
    run, outcome = runner.run(config)
    assert outcome == "finished"
    (change,) = changes(run)
    assert change["per_device"] == 2 and "of 4 from step 2 on" in change["message"]
    assert disturbed.rows_of_steps() == rows
    assert len([step for step, _ in disturbed.seen if step == 0]) == 2  # the first step ran once
    assert runner.values(run, "loss") == pytest.approx(losses, rel=1e-3)
    ensure_saved_as_it_ended(run, 2, 8)


def test_one_of_several_processes_changes_nothing_alone(undisturbed, monkeypatch):
    """The others wait for it in the middle of a step: it ends, and the run is started again."""
    runner, config = undisturbed.runner, undisturbed.config("sft")
    Injector(monkeypatch, at={3})
    for module in (oom_recovery, run_module):
        monkeypatch.setattr(module, "is_alone", lambda: False)
    run = runner.store.create(config)
    with pytest.raises(torch.OutOfMemoryError):
        execute(config, run.paths, runner.workspace)
    assert changes(run) == [] and not list(run.paths.checkpoints.glob("*"))


@pytest.mark.parametrize("save_every", [1, 100])
def test_a_half_made_optimizer_step_is_forgotten(undisturbed, monkeypatch, save_every):
    """Weights changed in part belong to no step: it goes on from the checkpoint before, if any."""
    _, losses, _ = undisturbed.of(undisturbed.config("sft"))
    schedule = {"max_steps": 2, "save_every": save_every}
    config, runner = undisturbed.config("sft", schedule=schedule), undisturbed.runner
    plain, steps = AcceleratedOptimizer.step, []

    def half(optimizer, closure=None):
        steps.append(len(steps))
        if len(steps) == 2:
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].add_(1.0)
            on_a_gpu()
        return plain(optimizer, closure)

    monkeypatch.setattr(AcceleratedOptimizer, "step", half)
    run, outcome = runner.run(config)
    assert outcome == "finished"
    assert len(steps) == (3 if save_every == 1 else 4)  # one failed; without a checkpoint, again
    assert runner.values(run, "loss")[-1] == pytest.approx(losses[-1], rel=1e-3)
    ensure_saved_as_it_ended(run, 2, 8)


def test_14_checkpointing_comes_after_one_row_then_a_plain_end(undisturbed, monkeypatch):
    Injector(monkeypatch, above=0)
    runner = undisturbed.runner
    config = undisturbed.config("sft", batch={"per_device": 2, "total": 4})
    run = runner.store.create(config)
    with pytest.raises(RunFailedError) as caught:
        execute(config, run.paths, runner.workspace)
    assert "one row at once and gradient checkpointing" in caught.value.message
    assert "nf4" in caught.value.remedy and caught.value.field == "batch.per_device"
    assert [
        {name: c[name] for name in ("per_device", "gradient_checkpointing") if name in c}
        for c in changes(run)
    ] == [{"per_device": 1}, {"gradient_checkpointing": True}]
    assert run_file.load(run.paths.config).batch.gradient_checkpointing


def failing_evaluation(monkeypatch, method, most, fail=on_a_gpu):
    plain, sizes = TRAINERS[method].prediction_step, []

    def step(trainer, model, inputs, *args, **kwargs):
        sizes.append(len(inputs["input_ids"]) // ANSWERS[method])
        if sizes[-1] > most:
            fail()
        return plain(trainer, model, inputs, *args, **kwargs)

    monkeypatch.setattr(TRAINERS[method], "prediction_step", step, raising=False)
    return sizes


def answers_of_one_length(folder):
    """Rows for SFT: the loss of an evaluation is the mean over its batches, however long they are."""
    lines = [
        {"prompt": [user(f"Question {n:02}?")], "completion": [assistant("Nine of them.")]}
        for n in range(32)
    ]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("method", "fail"), [("sft", on_a_cpu), ("dpo", on_a_gpu)])
def test_evaluation_halves_its_own_rows(undisturbed, monkeypatch, tmp_path, method, fail):
    runner = undisturbed.runner
    source = answers_of_one_length(tmp_path) if method == "sft" else SOURCES[method]
    config = undisturbed.config(
        method,
        data={"source": source, "train": "train[:16]", "evaluation": "25%"},
        schedule={"max_steps": 2, "evaluate_every": 1, "save_every": 100},
        batch={"per_device": 4, "total": 4},
    )
    _, *expected = undisturbed.of(config)
    sizes = failing_evaluation(monkeypatch, method, 2, fail)
    run, outcome = runner.run(config)
    assert outcome == "finished" and max(sizes) > 2
    assert "while evaluating" in changes(run)[0]["message"] and len(changes(run)) == 1
    for (key, kind), values in zip(
        (("loss", "metrics"), ("eval_loss", "evaluation")), expected, strict=True
    ):
        assert len(values) == 2
        assert runner.values(run, key, kind) == pytest.approx(values, rel=1e-3)


def test_evaluation_that_never_fits_keeps_what_was_trained(undisturbed, monkeypatch):
    failing_evaluation(monkeypatch, "sft", 0)
    runner = undisturbed.runner
    config = undisturbed.config(
        "sft",
        data={"source": "embedded:sft", "train": "train[:24]", "evaluation": "25%"},
        schedule={"max_steps": 2, "evaluate_every": 2, "save_every": 100},
        batch={"per_device": 4, "total": 4, "on_oom": "fail"},
    )
    run = runner.store.create(config)
    with pytest.raises(RunFailedError, match="Memory ran out") as caught:
        execute(config, run.paths, runner.workspace)
    assert "on_oom: shrink" in caught.value.remedy
    assert [e.values["step"] for e in read_events(run.paths.events).events
            if e.type == "checkpoint"] == [2]  # fmt: skip


def test_weights_that_do_not_fit_are_said_at_once(runner, monkeypatch):
    loads = []
    monkeypatch.setattr(model_setup, "load_model", lambda model: loads.append(model) or on_a_cpu())
    config = runner.config(data=FEW)
    run = runner.store.create(config)
    with pytest.raises(RunFailedError, match="weights of embedded were loaded") as caught:
        execute(config, run.paths, runner.workspace)
    assert caught.value.field == "model.id" and "nf4" in caught.value.remedy
    assert len(loads) == 1 and changes(run) == []


def test_a_run_starts_with_what_its_plan_has_room_for(runner, monkeypatch):
    config = runner.config(batch={"per_device": 4, "total": 4}, data=FEW)
    need = plan_run(config, runner.workspace)[0].memory
    room = Target("cpu", need.total - need.activations // 4)
    monkeypatch.setattr(Target, "here", lambda device: room)
    run, outcome = runner.run(config)
    assert outcome == "finished"
    (change,) = changes(run)
    assert change["per_device"] == 2 and "starts with 2" in change["message"]
    ensure_saved_as_it_ended(run, 2, 4)
    assert json.loads(run.paths.plan.read_text())["accumulation"] == 2


@pytest.mark.parametrize(("method", "fail"), [("sft", on_a_cpu), ("dpo", on_a_gpu)])
def test_a_dry_step_says_that_memory_ran_out_and_the_plan_keeps_it(
    runner, monkeypatch, method, fail
):
    Injector(monkeypatch, method, above=0, fail=fail)
    data = {"source": SOURCES[method], "train": "train[:24]"}
    config = runner.config(method=method, data=data)
    answer = dry_step_worker.dry_step(config, runner.workspace)
    assert answer == {"peak": None, "seconds_per_step": None}
    assert plan_run(config, runner.workspace)[0].warnings[0] == RAN_OUT


def test_the_batch_found_is_the_largest_whose_real_step_has_room(runner, monkeypatch):
    Injector(monkeypatch, above=2, fail=on_a_cpu)

    def here(config, workspace, stopped):
        return Measured(**dry_step_worker.dry_step(config, workspace))

    monkeypatch.setattr(batch_finder, "measure", here)
    config = runner.config(batch={"per_device": 1, "total": 8}, data=FEW)
    found = batch_finder.find_batch_size(config, runner.workspace, confirm=True)
    assert (found.per_device, found.accumulation, found.tried) == (2, 4, [8, 4])
    assert found.measured and found.seconds_per_step


def test_a_run_can_start_with_the_largest_batch(runner, monkeypatch):
    found = FoundBatch(8, 16, 2, GIB, 2 * GIB, True, 16, 3 * GIB)
    monkeypatch.setattr(oom_recovery, "find_batch_size", lambda config, workspace: found)
    config = runner.config(batch={"per_device": 2, "total": 16, "largest": True})
    assert any("most rows at once" in text for text in cautions(config))
    run = runner.store.create(config)
    larger = oom_recovery.within_plan(config, run.paths, runner.workspace, plan=None)
    assert (larger.batch.per_device, larger.batch.total) == (8, 16)
    (change,) = changes(run)
    assert change["per_device"] == 8 and "8 rows at once × 2 accumulated" in change["message"]
    assert run_file.load(run.paths.config) == larger, (
        "asked for once: it goes on with what is saved"
    )
    assert not larger.batch.largest


def test_optimizers_that_work_inside_the_backward_pass_never_accumulate(runner):
    guard = StepGuard(inside=True)
    guard.on_step_begin(None, None, None)
    assert guard.changing, "its weights belong to no complete step from the first pass on"
    guard.on_step_end(None, None, None)
    assert not guard.changing
    batch = {"per_device": 4, "total": 4}
    config = runner.config(adapter=None, batch=batch, optimizer={"name": "lomo"})
    run = runner.store.create(config)
    less = with_less_memory(config, run.paths, "CUDA out of memory")
    assert less.batch.per_device == 4 and less.batch.gradient_checkpointing
    assert "with 4 rows at once" in changes(run)[0]["message"]
    with pytest.raises(RunFailedError, match="4 rows at once and gradient checkpointing"):
        with_less_memory(less, run.paths, "CUDA out of memory")
    assert possible_sizes(config, 100) == [4]
