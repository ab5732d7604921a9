"""The worker of a run: one at a time, and how it ended is written down."""

import json
import os
import sys
from types import ModuleType

import pytest
from filelock import FileLock

from studio.config import RunConfig
from studio.core.errors import RunFailedError
from studio.core.paths import Workspace
from studio.runs.event_log import read_events
from studio.runs.status import read_status, update_status
from studio.runs.store import RunStore
from studio.training.worker import main


@pytest.fixture
def run(tmp_path):
    return RunStore(Workspace.locate(tmp_path)).create(RunConfig())


@pytest.fixture
def executed(monkeypatch):
    """Runs that were executed, and what comes of them; no library is loaded."""
    found = []
    outcome = {"ends": "finished"}

    def execute(config, paths, workspace):
        found.append(read_status(paths))
        if isinstance(outcome["ends"], Exception):
            raise outcome["ends"]
        return outcome["ends"]

    modules = {
        "studio.training.run_training": {"execute": execute},
        "studio.training.distributed": {"for_all_there_are": lambda config, paths: config},
        "studio.models.log_levels": {"quiet_libraries": lambda: None},
    }
    for name, values in modules.items():
        module = ModuleType(name)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)
    return found, outcome


def test_a_run_says_who_executes_it_and_how_it_ended(run, executed):
    seen, _ = executed
    update_status(run.paths, message="of the attempt before", lines=["old"], pushed="old")
    assert main(run.paths.root) == 0
    (during,) = seen
    assert (during.state, during.pid) == ("running", os.getpid()) and during.pid_started > 0
    assert (during.message, during.lines, during.pushed) == ("", [], "")
    after = read_status(run.paths)
    assert (after.state, after.stage) == ("finished", "") and after.ended >= after.started
    assert read_events(run.paths.events).events[-1].type == "finished"


def test_an_error_for_people_is_its_status_and_its_exit_code(run, executed, capfd):
    _, outcome = executed
    error = RunFailedError("It is full.", remedy="Free some.", field="data.source")
    error.__cause__ = OSError("disk")
    outcome["ends"] = error
    assert main(run.paths.root) == error.exit_code != 0
    status = read_status(run.paths)
    assert (status.state, status.message, status.remedy) == ("failed", "It is full.", "Free some.")
    assert status.field == "data.source"
    assert "OSError: disk" in capfd.readouterr().err, "what a library said is in the log"


def test_a_second_worker_of_a_run_does_nothing(run, executed):
    seen, _ = executed
    before = run.paths.status.read_text()
    with FileLock(run.paths.worker_lock):
        assert main(run.paths.root) == 0
    assert not seen and run.paths.status.read_text() == before


def test_a_damaged_run_file_is_told(run, executed):
    run.paths.config.write_text("batch: {total: none}")
    assert main(run.paths.root) == 2
    assert not executed[0]
    status = json.loads(run.paths.status.read_text())
    assert status["state"] == "failed" and "batch.total" in status["message"] + status["field"]
