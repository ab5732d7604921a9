"""The head of the chosen run: state, results, and what must be known first."""

from __future__ import annotations

import os
import re
import time

import psutil
import pytest
from filelock import FileLock

from studio.config import run_file
from studio.core.paths import write_json
from studio.runs import checkpoints
from studio.runs.control import command_file
from studio.runs.event_log import EventLog
from studio.runs.held_out_result import HeldOutResult, write
from studio.runs.status import update_status
from tests.ui.runs.runs_tab import view, visible


def test_failure_shows_cause_remedy_and_the_lines_of_the_log(tab, run):
    update_status(
        run.paths,
        state="failed",
        message="Memory ran out.",
        remedy="Lower batch.per_device.",
        lines=["<OutOfMemoryError>"],
    )
    head = view(tab.show(run.run_id))["head"]
    assert "Memory ran out." in head and "Lower batch.per_device." in head
    assert "&lt;OutOfMemoryError&gt;" in head
    assert f"/studio/runs/{run.run_id}/log.txt" in view(tab.show(run.run_id))["log"]


def test_a_silent_worker_is_stalled_and_a_dead_one_is_not(tab, run, monkeypatch):
    started = psutil.Process().create_time()
    update_status(
        run.paths, state="running", step=3, total_steps=10, pid=os.getpid(), pid_started=started
    )
    assert "7 min left" in view(tab.show(run.run_id))["head"]
    later = time.time() + 200
    monkeypatch.setattr(time, "time", lambda: later)
    shown = view(tab.show(run.run_id))
    assert "No sign of life" in shown["list"] and "slow step" in shown["head"]
    assert re.search(r"No sign of life since \d\d:\d\d", shown["head"])
    assert "left" not in shown["head"]
    update_status(run.paths, state="running", pid_started=started - 100)
    monkeypatch.setattr(time, "time", lambda: later + 200)
    assert "No sign of life" not in view(tab.show(run.run_id))["list"]


def test_the_head_says_what_is_learned_of_the_rows_and_what_is_left_out(tab, run):
    plan = {"scored": "scores 7 assistant turns in 3 rows", "skipped": ["2 rows: longer than <9>"]}
    write_json(run.paths.plan, plan)
    head = view(tab.show(run.run_id))["head"]
    assert "Scores 7 assistant turns in 3 rows · left out: 2 rows: longer than &lt;9&gt;" in head


def test_what_came_of_a_run_is_said_when_it_has_ended(tab, run):
    log = EventLog(run.paths.events)
    for step, loss in ((1, 2.0), (2, 0.5), (3, 0.75)):
        log.append("evaluation", step=step, eval_loss=loss)
    assert "run-results" not in view(tab.show(run.run_id))["head"]
    update_status(run.paths, state="finished")
    head = view(tab.show(run.run_id))["head"]
    assert "<dt>Loss</dt><dd>3 → 1</dd>" in head
    assert "2 → 0.75 (lowest 0.5 at step 2)" in head


@pytest.mark.parametrize(
    ("engine", "stage", "said"),
    [
        ("local", "loading", "nothing is trained"),
        ("local", "training", "with a checkpoint"),
        ("hf-jobs:t4-small", "waiting", "Cancels the job"),
    ],
)
def test_what_becomes_of_a_wish_to_stop_depends_on_where_the_run_is(tab, run, engine, stage, said):
    run_file.save(run_file.parse({"launch": {"engine": engine}}), run.paths.config)
    update_status(run.paths, state="running", stage=stage)
    assert ("save" in visible(view(tab.show(run.run_id)))) == (engine == "local")
    command_file.request(run.paths, "stop")
    assert said in view(tab.show(run.run_id))["head"]


def test_a_failed_push_is_told_in_the_head_and_can_be_tried_again(tab, run):
    run.paths.adapter.mkdir()
    write_json(run.paths.adapter / checkpoints.MARKER, {"kind": "adapter", "step": 3})
    update_status(run.paths, state="finished", step=3)
    shown = view(tab.show(run.run_id))
    assert not shown["push"]["visible"] and "pushed" not in shown["head"]
    update_status(
        run.paths, push_error="Could not be pushed to me/<b>: refused.", push_remedy="Log in."
    )
    shown = view(tab.show(run.run_id))
    assert shown["push"]["visible"] and shown["push"]["value"] == "Push again"
    assert "Trained, but not pushed" in shown["head"] and "Log in." in shown["head"]
    assert "me/&lt;b&gt;" in shown["head"] and "Finished" in shown["head"]
    tab.push(run.run_id)
    assert tab.context.supervisor.calls == [("push", run.run_id)]
    with FileLock(run.paths.push_lock):
        shown = view(tab.show(run.run_id))
        assert not shown["push"]["visible"] and "Pushing the weights" in shown["head"]
    update_status(run.paths, push_error="", push_remedy="", pushed="https://huggingface.co/me/it")
    shown = view(tab.show(run.run_id))
    assert not shown["push"]["visible"]
    assert "Pushed to https://huggingface.co/me/it" in shown["head"]


def test_what_it_came_to_on_held_out_rows_is_one_sentence(tab, run):
    update_status(run.paths, state="finished")
    write(run.paths, HeldOutResult("wanted"))
    assert "Answers held-out rows" in view(tab.show(run.run_id))["head"]
    write(run.paths, HeldOutResult("not measured", sentence="No <rows> are left."))
    assert "No &lt;rows&gt; are left." in view(tab.show(run.run_id))["head"]
    write_json(run.paths.adapter / checkpoints.MARKER, {"kind": "adapter", "step": 4})
    said = "Exact match 3 % → 97 % on 64 held-out rows"
    write(run.paths, HeldOutResult("measured", step=4, sentence=said))
    assert f'<p class="run-measured">{said}</p>' in view(tab.show(run.run_id))["head"]
    update_status(run.paths, state="running")
    assert said not in view(tab.show(run.run_id))["head"]
