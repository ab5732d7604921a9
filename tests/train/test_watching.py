"""Going on exactly, being refused what would not be, and what a run tells of itself."""

import errno

import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file

from studio.errors import ConfigError, DataError, RunFailedError
from studio.runs import checkpoints
from studio.runs.curves import Diary
from studio.runs.events import read_events
from studio.runs.status import update_status
from studio.services import steering
from studio.train.run import execute

LONG = {
    "adapter": {"rank": 4, "alpha": 8, "dropout": 0.1},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:10]", "evaluation": "evaluation[:2]"},
    "schedule": {"max_steps": 6, "save_every": 2, "keep": 3, "evaluate_every": 3},
}


def weights(run):
    return load_file(run.paths.adapter / "adapter_model.safetensors")


def losses(run):
    return dict(Diary(run.paths.events).refresh().series["loss"])


def told(run, kind):
    return [event.values for event in read_events(run.paths.events).events if event.type == kind]


@pytest.fixture(scope="module")
def undisturbed(shared_runner):
    """Six steps over ten rows, two and a half epochs, with dropout, probes and evaluation."""
    probes = {"count": 2, "every": 2, "max_new_tokens": 4, "forgetting": "auto"}
    run, outcome = shared_runner.run(shared_runner.config(**LONG, probes=probes))
    assert outcome == "finished"
    return run


def test_a_run_goes_on_from_any_checkpoint_as_if_nothing_had_been(shared_runner, undisturbed):
    expected, trained = losses(undisturbed), weights(undisturbed)
    assert list(map(checkpoints.step_of, checkpoints.complete_checkpoints(undisturbed.paths))) == [
        2,
        4,
        6,
    ]
    update_status(undisturbed.paths, state="finished")
    steering.resume(shared_runner.store, undisturbed.run_id, step=2)
    run = shared_runner.store.get(undisturbed.run_id)
    assert execute(run.config, run.paths, shared_runner.workspace) == "finished"
    assert told(run, "resumed") == [{"step": 2}]
    assert losses(run) == pytest.approx(expected, abs=1e-5)
    for name, weight in weights(run).items():
        assert torch.allclose(weight, trained[name], atol=1e-6), name


def test_probes_change_nothing_of_what_is_learned(shared_runner, undisturbed):
    run, _ = shared_runner.run(shared_runner.config(**LONG))
    assert losses(run) == pytest.approx(losses(undisturbed), abs=1e-6)


def test_probes_are_answered_before_and_while_training(undisturbed):
    diary = Diary(undisturbed.paths.events).refresh()
    assert [bool(row.question and row.images) for row in diary.probe_rows] == [True, True]
    assert sorted(diary.probes) == [2, 4, 6] and all(len(a) == 2 for a in diary.probes.values())
    assert set(diary.forgetting) == {"before", "after"}
    assert diary.forgetting["before"] > 0


def test_an_extended_run_ends_where_a_long_one_ends(shared_runner):
    schedule = {"max_steps": 4, "save_every": 100}
    whole, _ = shared_runner.run(shared_runner.config(schedule=schedule))
    run, _ = shared_runner.run(shared_runner.config(schedule=schedule | {"max_steps": 2}))
    update_status(run.paths, state="finished", step=2, total_steps=2)
    with pytest.raises(ConfigError, match="max_steps"):
        steering.extend(shared_runner.store, run.run_id, max_steps=2)
    steering.extend(shared_runner.store, run.run_id, max_steps=4)
    run = shared_runner.store.get(run.run_id)
    assert run.status.state == "queued" and run.config.schedule.max_steps == 4
    execute(run.config, run.paths, shared_runner.workspace)
    assert losses(run) == pytest.approx(losses(whole), abs=1e-5)


def test_other_settings_or_rows_are_refused_by_name(shared_runner):
    config = shared_runner.config(schedule={"max_steps": 1})
    run, _ = shared_runner.run(config)
    faster = config.model_copy(
        update={"optimizer": config.optimizer.model_copy(update={"learning_rate": 0.5})}
    )
    with pytest.raises(ConfigError, match=r"optimizer.learning_rate: was 0.002.*is 0.5"):
        execute(faster, run.paths, shared_runner.workspace)
    identity = run.paths.identity
    identity.write_text(identity.read_text().replace('"digest": "', '"digest": "0'))
    with pytest.raises(DataError, match="in another order") as caught:
        execute(config, run.paths, shared_runner.workspace)
    assert caught.value.field == "data.source"


def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on(shared_runner, monkeypatch):
    config = shared_runner.config(schedule={"max_steps": 4, "save_every": 2})
    whole, _ = shared_runner.run(config)
    run = shared_runner.store.create(config)
    save = safetensors.torch.save_file

    def full(tensors, filename, *args, **kwargs):
        if "checkpoint-4" in str(filename):
            raise OSError(errno.ENOSPC, "No space left on device", str(filename))
        return save(tensors, filename, *args, **kwargs)

    monkeypatch.setattr("peft.peft_model.safe_save_file", full)
    with pytest.raises(OSError, match="No space left"):
        execute(config, run.paths, shared_runner.workspace)
    monkeypatch.undo()
    run.paths.log.write_text("OSError: [Errno 28] No space left on device\n")
    update_status(run.paths, state="running")
    steering.mark_dead(run.paths)
    status = shared_runner.store.get(run.run_id).status
    assert status.message == "The disk is full." and "intact" in status.remedy
    assert [f.name for f in run.paths.checkpoints.glob("checkpoint-*")] == ["checkpoint-2"]
    execute(config, run.paths, shared_runner.workspace)
    assert losses(run) == pytest.approx(losses(whole), abs=1e-5)


def test_weights_that_are_no_numbers_are_never_a_checkpoint(shared_runner, monkeypatch):
    from studio.train import callbacks

    config = shared_runner.config(schedule={"max_steps": 4, "save_every": 2})
    run = shared_runner.store.create(config)
    finite = iter([True, False])
    monkeypatch.setattr(callbacks, "weights_are_finite", lambda model: next(finite))
    with pytest.raises(RunFailedError, match="no numbers any more at step 4"):
        execute(config, run.paths, shared_runner.workspace)
    assert [f.name for f in run.paths.checkpoints.glob("checkpoint-*")] == ["checkpoint-2"]


def test_weights_are_checked_for_numbers():
    from studio.train.callbacks import weights_are_finite

    layer = torch.nn.Linear(2, 2)
    assert weights_are_finite(layer)
    layer.weight.data[0, 0] = float("nan")
    assert not weights_are_finite(layer)


def test_pace_memory_and_drift_are_recorded(shared_runner):
    run, _ = shared_runner.run(shared_runner.config(method="dpo", batch={"total": 8}))
    diary = Diary(run.paths.events).refresh()
    for name in ("samples_per_second", "tokens_per_second", "memory_gb", "drift", "logps/chosen"):
        assert len(diary.series[name]) == 2, name
    beta = run.config.dpo.beta
    chosen, rejected = diary.last("rewards/chosen"), diary.last("rewards/rejected")
    assert diary.last("drift") == pytest.approx(-(chosen + rejected) / 2 / beta)
