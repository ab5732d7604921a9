"""Going on exactly, being refused what would not be, and what a run tells of itself."""

import errno
import shutil

import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file

from studio.core.errors import ConfigError, DataError, RunFailedError
from studio.runs import checkpoints
from studio.runs.control import command_file, commands
from studio.runs.curves import Diary
from studio.runs.event_log import read_events
from studio.runs.status import read_status, update_status
from studio.training.run_training import execute

LONG = {
    "adapter": {"rank": 4, "alpha": 8, "dropout": 0.1},
    "batch": {"per_device": 2, "total": 4},
    "data": {"source": "embedded:sft", "train": "train[:10]", "evaluation": "evaluation[:2]"},
    "schedule": {"max_steps": 6, "save_every": 2, "keep": 3, "evaluate_every": 2},
}


def weights(run):
    return load_file(run.paths.adapter / "adapter_model.safetensors")


def losses(run):
    return dict(Diary(run.paths.events).refresh().series["loss"])


def told(run, kind):
    return [event.values for event in read_events(run.paths.events).events if event.type == kind]


@pytest.fixture(scope="module")
def undisturbed(shared_runner):
    """Six steps over ten rows, two and a half epochs, with dropout and evaluation."""
    run, outcome = shared_runner.run(shared_runner.config(**LONG))
    assert outcome == "finished"
    update_status(run.paths, state="finished", step=6, total_steps=6)
    return run


def steps_kept(run):
    return list(map(checkpoints.step_of, checkpoints.complete_checkpoints(run.paths)))


def test_a_run_goes_on_from_any_checkpoint_as_if_nothing_had_been(shared_runner, undisturbed):
    expected, trained = losses(undisturbed), weights(undisturbed)
    assert steps_kept(undisturbed) == [2, 4, 6]
    before = read_status(undisturbed.paths).training_seconds
    commands.resume(shared_runner.store, undisturbed.run_id, step=4)
    run = shared_runner.store.get(undisturbed.run_id)
    assert execute(run.config, run.paths, shared_runner.workspace) == "finished"
    assert told(run, "resumed") == [{"step": 4}]
    assert [finding["id"] for finding in told(run, "finding")].count("small-data") == 1
    assert read_status(run.paths).training_seconds > before > 0, "what all attempts took"
    assert losses(run) == pytest.approx(expected, abs=1e-5)
    for name, weight in weights(run).items():
        assert torch.allclose(weight, trained[name], atol=1e-6), name


def test_a_run_that_left_no_checkpoint_starts_again_with_nothing_of_before(shared_runner, tmp_path):
    few = {"data": LONG["data"], "schedule": {"max_steps": 2, "evaluate_every": 1}}
    run, _ = shared_runner.run(shared_runner.config(**few))
    shutil.rmtree(run.paths.checkpoints)
    update_status(run.paths, state="failed", started=1.0, training_seconds=500.0)
    commands.resume(shared_runner.store, run.run_id)
    status = read_status(run.paths)
    assert (status.again, status.training_seconds) == ("started again", 0.0)
    execute(run.config, run.paths, shared_runner.workspace)
    assert told(run, "resumed") == [{"step": 0}]
    assert read_status(run.paths).training_seconds < 500
    assert [step for step, _ in losses(run).items()] == [1, 2]
    lines = run.paths.events.read_text().splitlines()
    (mark,) = (number for number, line in enumerate(lines) if '"resumed"' in line)
    begun = tmp_path / "events.jsonl"
    begun.write_text("\n".join(lines[: mark + 1]) + "\n")
    assert not any(Diary(begun).refresh().series.values()), "discarded steps are on no curve"
    update_status(run.paths, state="failed")
    commands.resume(shared_runner.store, run.run_id)
    assert read_status(run.paths).again == "started again, resumed 1 time"


def test_a_run_asked_to_stop_before_its_first_step_trains_nothing(shared_runner):
    run = shared_runner.store.create(shared_runner.config())
    command_file.request(run.paths, "stop")
    assert execute(run.config, run.paths, shared_runner.workspace) == "stopped"
    assert not run.has_adapter and not told(run, "metrics")


def test_an_extended_run_ends_where_a_long_one_ends(shared_runner, undisturbed):
    short = LONG["schedule"] | {"max_steps": 2}
    run, _ = shared_runner.run(shared_runner.config(**LONG | {"schedule": short}))
    update_status(run.paths, state="finished", step=2, total_steps=2)
    with pytest.raises(ConfigError, match="max_steps"):
        commands.extend(shared_runner.store, run.run_id, max_steps=2)
    commands.extend(shared_runner.store, run.run_id, max_steps=6)
    run = shared_runner.store.get(run.run_id)
    assert run.status.state == "queued" and run.config.schedule.max_steps == 6
    execute(run.config, run.paths, shared_runner.workspace)
    assert losses(run) == pytest.approx(losses(undisturbed), abs=1e-5)


def test_other_settings_or_rows_are_refused_by_name(shared_runner, undisturbed):
    config, paths = undisturbed.config, undisturbed.paths
    faster = config.model_copy(
        update={"optimizer": config.optimizer.model_copy(update={"learning_rate": 0.5})}
    )
    with pytest.raises(ConfigError, match=r"optimizer.learning_rate: was 0.002.*is 0.5"):
        execute(faster, paths, shared_runner.workspace)
    began = paths.identity.read_text()
    paths.identity.write_text(began.replace('"digest": "', '"digest": "0'))
    with pytest.raises(DataError, match="in another order") as caught:
        execute(config, paths, shared_runner.workspace)
    paths.identity.write_text(began)
    assert caught.value.field == "data.source"


def test_neither_bad_weights_nor_a_full_disk_cost_the_last_checkpoint(
    shared_runner, undisturbed, monkeypatch
):
    from studio.training import callbacks

    config = undisturbed.config
    run = shared_runner.store.create(config)
    finite = iter([True, False])
    with monkeypatch.context() as broken:
        broken.setattr(callbacks, "weights_are_finite", lambda model: next(finite))
        with pytest.raises(RunFailedError, match="no numbers any more at step 4"):
            execute(config, run.paths, shared_runner.workspace)
    assert steps_kept(run) == [2]
    save = safetensors.torch.save_file

    def full(tensors, filename, *args, **kwargs):
        if "checkpoint-4" in str(filename):
            raise OSError(errno.ENOSPC, "No space left on device", str(filename))
        return save(tensors, filename, *args, **kwargs)

    with monkeypatch.context() as crowded:
        crowded.setattr("peft.peft_model.safe_save_file", full)
        with pytest.raises(OSError, match="No space left"):
            execute(config, run.paths, shared_runner.workspace)
    run.paths.log.write_text("OSError: [Errno 28] No space left on device\n")
    update_status(run.paths, state="running")
    commands.mark_dead(run.paths)
    status = shared_runner.store.get(run.run_id).status
    assert status.message == "The disk is full." and "intact" in status.remedy
    assert [f.name for f in run.paths.checkpoints.glob("checkpoint-*")] == ["checkpoint-2"]
    execute(config, run.paths, shared_runner.workspace)
    assert losses(run) == pytest.approx(losses(undisturbed), abs=1e-5)
