"""A run by its id, the beginning of it, or its name."""

import pytest

from studio.config import run_file
from studio.core.errors import InputError, NotFoundError
from studio.core.paths import Workspace
from studio.runs.run_names import find_run
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path))


def test_a_run_is_found_by_id_beginning_and_name(store):
    run_id = store.create(run_file.parse({"name": "charts"})).run_id
    store.create(run_file.parse({"name": "colours"}))
    assert find_run(store, run_id).run_id == run_id
    assert find_run(store, run_id[:-1]).run_id == run_id
    assert find_run(store, "charts").run_id == run_id


def test_a_name_of_two_runs_is_refused_with_both(store):
    ids = [store.create(run_file.parse({"name": "twice"})).run_id for _ in range(2)]
    with pytest.raises(InputError, match="2 runs can be meant") as caught:
        find_run(store, "twice", "adapter")
    assert all(run_id in caught.value.message for run_id in ids)
    assert caught.value.field == "adapter" and not isinstance(caught.value, NotFoundError)


@pytest.mark.parametrize("name", ["", "none", "../runs", "a\0b", "x" * 500])
def test_what_no_run_is_called_is_said(store, name):
    store.create(run_file.parse({"name": "charts"}))
    with pytest.raises(NotFoundError, match="There is no run"):
        find_run(store, name)


def test_a_damaged_run_file_is_no_obstacle(store):
    damaged = store.create(run_file.parse({"name": "damaged"}))
    damaged.paths.config.write_text("name: [")
    run_id = store.create(run_file.parse({"name": "charts"})).run_id
    assert find_run(store, "charts").run_id == run_id
