"""The status file of a run, whole and damaged."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from studio.config import RunConfig
from studio.core.paths import Workspace, write_atomic
from studio.runs.control.commands import mark_dead
from studio.runs.status import read_status
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace.locate(tmp_path))


def test_unknown_keys_of_a_later_version_do_not_break_the_status(store):
    run = store.create(RunConfig())
    text = run.paths.status.read_text().replace("{", '{"from_the_future": 1,', 1)
    run.paths.status.write_text(text)
    assert read_status(run.paths).state == "queued"


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '"x"', "{}", '{"state": "dancing"}', '{"state": "running", "pid": "x"}', "\xff"],
)
def test_a_damaged_status_is_that_of_a_run_whose_worker_is_gone(store, text):
    run = store.create(RunConfig())
    run.paths.status.write_text(text, encoding="latin-1")
    (found,) = store.list()
    assert found.status.active and not found.alive
    mark_dead(found.paths)
    assert read_status(run.paths).state == "failed"


def test_threads_that_write_one_file_at_once_leave_a_whole_one(tmp_path):
    file, texts = tmp_path / "status.json", [str(n) * 200_000 for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: write_atomic(file, texts[n % 4], durable=False), range(200)))
    assert file.read_text() in texts and list(tmp_path.iterdir()) == [file]
