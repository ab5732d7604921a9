"""Commands to runs that have ended."""

import pytest

from studio.config import RunConfig, run_file
from studio.core.errors import ConflictError
from studio.core.paths import Workspace
from studio.runs import checkpoints
from studio.runs.control import commands
from studio.runs.status import update_status
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path))


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
