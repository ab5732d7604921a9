"""Runs of the command line: which one goes on, and what is said at its end."""

import pytest

from studio.core.errors import ConfigError, NotFoundError
from studio.launch import foreground_run
from studio.launch.foreground_run import follow, resumable, start_now
from studio.runs.control import command_file
from studio.runs.status import read_status, update_status
from studio.runs.store import RunStore
from tests.launch.small_run import SMALL, config


class Worker:
    """One that has ended; `look` is done whenever it is looked after."""

    def __init__(self, look=lambda: None):
        self.look = look

    def poll(self):
        self.look()
        return 0


@pytest.fixture
def started(workspace, monkeypatch):
    """A run whose worker ends at once."""
    monkeypatch.setattr(foreground_run, "launch_worker", lambda run: Worker())
    monkeypatch.setattr(foreground_run, "POLL", 0)
    return start_now(config(), workspace)


def renamed(**values):
    return config().model_validate({**config().model_dump(), **values})


def test_the_newest_run_of_the_name_goes_on_with_what_may_be_changed(workspace):
    store = RunStore(workspace)
    runs = [store.create(config(), state=state) for state in ("stopped", "finished", "queued")]
    longer = renamed(schedule={**SMALL["schedule"], "save_every": 7})
    found = resumable(longer, workspace)
    assert found.run_id == runs[0].run_id and found.config.schedule.save_every == 7
    assert RunStore(workspace).get(found.run_id).config == longer
    with pytest.raises(ConfigError):
        resumable(renamed(method="dpo"), workspace)
    with pytest.raises(NotFoundError, match="'another'"):
        resumable(renamed(name="another"), workspace)


def test_how_a_run_ended_is_said_with_what_to_do(started, capsys):
    why = {"message": "The disk is full.", "remedy": "Free some space."}
    update_status(started.paths, state="failed", step=2, training_seconds=61.0, **why)
    assert follow(started).state == "failed"
    said = " ".join(capsys.readouterr().err.split())
    assert f"{started.run_id} failed after 2 steps, 61 s of training" in said
    assert "The disk is full. Free some space." in said


def test_a_worker_that_is_gone_without_a_word_has_failed(started):
    assert read_status(started.paths).state == "starting"
    status = follow(started, quiet=True)
    assert status.state == "failed" and status.message


def test_the_first_interrupt_asks_the_run_to_stop_and_the_second_leaves_it(started, capsys):
    def interrupt():
        raise KeyboardInterrupt

    foreground_run._workers[started.run_id] = Worker(interrupt)
    with pytest.raises(KeyboardInterrupt):
        follow(started)
    assert command_file.requested(started.paths) == "stop"
    assert "Ctrl-C again" in capsys.readouterr().err
