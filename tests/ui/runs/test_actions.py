"""Which buttons a run has, and which of them is the next step."""

from __future__ import annotations

import time

from studio.runs import checkpoints
from studio.runs.control import command_file
from studio.runs.status import update_status
from tests.ui.runs.runs_tab import BUTTONS, view, visible


def test_actions_fit_the_state(tab, run):
    assert visible(view(tab.show(run.run_id))) == {"stop_now", "clone"}
    update_status(run.paths, state="running")
    assert visible(view(tab.show(run.run_id))) == {"save", "stop", "stop_now", "clone"}
    for wish, left, said in (
        ("save", {"stop", "stop_now", "clone"}, "Saves a checkpoint"),
        ("stop", {"stop_now", "clone"}, "Stops after this step, with"),
        ("stop_now", {"clone"}, "without a checkpoint"),
    ):
        command_file.request(run.paths, wish)
        shown = view(tab.show(run.run_id))
        assert visible(shown) == left and said in shown["head"]
    update_status(run.paths, state="stopped")
    assert visible(view(tab.show(run.run_id))) == {"resume", "clone", "delete"}
    run.paths.adapter.mkdir()
    checkpoints.mark_complete(run.paths.adapter)
    update_status(run.paths, state="finished")
    shown = view(tab.show(run.run_id))
    assert visible(shown) == {"chat", "clone", "delete"} and "Stops" not in shown["head"]


def test_the_next_step_stands_out(tab, run):
    def next_step(**status):
        update_status(run.paths, **status)
        shown = view(tab.show(run.run_id))
        (name,) = (name for name in BUTTONS if shown[name]["variant"] == "primary")
        return name

    assert next_step(state="finished") == "chat" and next_step(state="stopped") == "resume"
    assert next_step(state="failed") == "resume"
    assert next_step(state="failed", field="optimizer.learning_rate") == "clone"


def test_a_run_that_left_no_checkpoint_is_started_again_and_not_made_longer(tab, run):
    update_status(run.paths, state="stopped")
    shown = view(tab.show(run.run_id))
    assert shown["resume"]["value"] == "Put back into the queue"
    assert "data-checkpoint" not in shown["head"] and shown["longer_note"].endswith("</i>")
    update_status(run.paths, state="failed", started=time.time())
    assert view(tab.show(run.run_id))["resume"]["value"] == "Start again"
    folder = run.paths.checkpoints / "checkpoint-2"
    folder.mkdir(parents=True)
    checkpoints.mark_complete(folder)
    shown = view(tab.show(run.run_id))
    assert shown["resume"]["value"] == "Resume" and "data-checkpoint" in shown["head"]
