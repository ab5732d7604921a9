"""The order of waiting runs, and going on with a run as it began."""

import pytest

from studio.config import RunConfig, run_file
from studio.core.errors import ConfigError, ConflictError, NotFoundError
from studio.core.paths import Workspace
from studio.runs import checkpoints, queue
from studio.runs.control import commands
from studio.runs.control.resumable_changes import ensure_resumable
from studio.runs.status import update_status
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path))


def names(store):
    return [run.config.name for run in queue.waiting(store.list())]


def test_waiting_runs_change_places(store):
    runs = {}
    for when, name in enumerate("abc"):
        runs[name] = store.create(RunConfig(name=name))
        update_status(runs[name].paths, queued=1000.0 + when)
    queue.move(store, runs["c"].run_id, -1)
    assert names(store) == ["a", "c", "b"]
    queue.move(store, runs["a"].run_id, 5)
    assert names(store) == ["c", "b", "a"]
    update_status(runs["b"].paths, state="running")
    with pytest.raises(ConflictError):
        queue.move(store, runs["b"].run_id, 1)


def test_the_queue_is_paused_for_everyone(store):
    assert not queue.is_paused(store.workspace)
    queue.set_paused(store.workspace, True)
    assert queue.is_paused(Workspace.locate(store.workspace.root))
    for damaged in ("", "[1]", "\0"):
        store.workspace.queue.write_text(damaged)
        assert not queue.is_paused(store.workspace)


def test_length_may_change_between_attempts_but_not_what_is_learned():
    was = RunConfig(name="one").model_dump(mode="json")
    ensure_resumable(was, run_file.parse({"name": "two", "schedule": {"epochs": 9}}))
    changed = {"optimizer": {"learning_rate": 0.5}, "data": {"source": "embedded:preferences"}}
    with pytest.raises(ConfigError) as caught:
        ensure_resumable(was, run_file.parse(changed))
    found = {problem.field: problem.message for problem in caught.value.problems}
    assert set(found) == {"optimizer.learning_rate", "data.source"}
    assert (
        "0.0002" in found["optimizer.learning_rate"] and "0.5" in found["optimizer.learning_rate"]
    )


def test_a_setting_of_a_later_version_is_no_difference():
    was = RunConfig().model_dump(mode="json")
    del was["optimizer"]["max_grad_norm"]
    ensure_resumable(was, RunConfig())


def test_going_back_deletes_what_came_after(store):
    paths = store.create(RunConfig()).paths
    for step in (5, 10, 15):
        (paths.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
        checkpoints.mark_complete(paths.checkpoints / f"checkpoint-{step}")
    with pytest.raises(NotFoundError, match="7"):
        checkpoints.go_back_to(paths, 7)
    checkpoints.go_back_to(paths, 10)
    assert checkpoints.step_of(checkpoints.latest_checkpoint(paths)) == 10
    (paths.checkpoints / "checkpoint-20").mkdir()
    checkpoints.drop_torn(paths)
    assert sorted(folder.name for folder in paths.checkpoints.iterdir()) == [
        "checkpoint-10",
        "checkpoint-5",
    ]


def test_a_run_takes_the_weights_of_a_checkpoint(store):
    run = store.create(run_file.parse({"adapter": {"init": "pissa"}}))
    folder = run.paths.checkpoints / "checkpoint-5"
    folder.mkdir(parents=True)
    for name in ("optimizer.pt", "trainer_state.json", "rng_state.pth"):
        (folder / name).write_text("{}")
    checkpoints.mark_complete(folder)
    with pytest.raises(ConflictError, match="queued"):
        commands.use_checkpoint(store, run.run_id, 5)
    update_status(run.paths, state="failed")
    with pytest.raises(ConflictError, match="pissa") as caught:
        commands.use_checkpoint(store, run.run_id, 5)
    assert "Resume" in caught.value.remedy
    run_file.save(RunConfig(), run.paths.config)
    with pytest.raises(ConflictError, match="in parts"):
        commands.use_checkpoint(store, run.run_id, 5)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text("{}")
    run.paths.adapter.mkdir()
    (run.paths.adapter / "old.json").write_text("{}")
    commands.use_checkpoint(store, run.run_id, 5)
    assert {file.name for file in run.paths.adapter.iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        checkpoints.MARKER,
    }
    assert store.get(run.run_id).has_adapter and checkpoints.adapter_step(run.paths) == 5
    assert checkpoints.complete_checkpoints(run.paths) == [folder], "it can still be resumed from"
