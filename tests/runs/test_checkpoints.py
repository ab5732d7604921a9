"""Which checkpoints count, and which are kept."""

import pytest

from studio.config import RunConfig
from studio.core.errors import NotFoundError
from studio.core.paths import RunPaths, Workspace
from studio.runs import checkpoints
from studio.runs.store import RunStore


def test_only_complete_checkpoints_count(tmp_path):
    paths = RunPaths(tmp_path)
    for step in (5, 10, 15, 20):
        (paths.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
    for step in (5, 10, 15):
        checkpoints.mark_complete(paths.checkpoints / f"checkpoint-{step}")
    assert checkpoints.step_of(checkpoints.latest_checkpoint(paths)) == 15
    checkpoints.prune(paths, keep=2)
    left = sorted(folder.name for folder in paths.checkpoints.iterdir())
    assert left == ["checkpoint-10", "checkpoint-15", "checkpoint-20"]


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path))


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
