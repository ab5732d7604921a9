"""Runs are made, found, listed and deleted by their ids."""

import os

import psutil
import pytest

from studio.config import RunConfig
from studio.core.errors import ConflictError, NotFoundError
from studio.core.paths import Workspace
from studio.runs.status import update_status
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path))


def test_a_run_is_made_found_and_listed(store):
    run = store.create(RunConfig(name="Ünïcode / name"))
    assert store.get(run.run_id).config.name == "Ünïcode / name"
    assert [found.run_id for found in store.list()] == [run.run_id]
    assert run.status.state == "queued" and not run.alive


@pytest.mark.parametrize("name", ["none", "../runs", "", ".", "a/b"])
def test_a_run_id_never_leaves_the_folder(store, name):
    with pytest.raises(NotFoundError):
        store.get(name)


def test_a_living_run_is_not_deleted(store):
    run = store.create(RunConfig())
    me = psutil.Process()
    update_status(run.paths, state="running", pid=os.getpid(), pid_started=me.create_time())
    with pytest.raises(ConflictError):
        store.delete(run.run_id)
    for state, said in (("queued", "waits"), ("starting", "going on")):
        update_status(run.paths, state=state, pid=0)
        with pytest.raises(ConflictError, match=said):
            store.delete(run.run_id)
    update_status(run.paths, state="failed")
    store.delete(run.run_id)
    assert store.list() == []
