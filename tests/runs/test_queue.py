"""The order of waiting runs, and going on with a run as it began."""

import pytest

from studio.config import RunConfig
from studio.core.errors import ConflictError
from studio.core.paths import Workspace
from studio.runs import queue
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
