"""The curves of a run, and of several that are compared."""

from __future__ import annotations

import time

from studio.config import RunConfig
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from tests.ui.runs.runs_tab import changed, seen, view


def test_curves_of_a_run_under_way_follow_every_few_seconds(tab, run, monkeypatch):
    update_status(run.paths, state="running", step=3, total_steps=10)
    page = tab.show(run.run_id)
    EventLog(run.paths.events).append("metrics", step=4, loss=0.5)
    update_status(run.paths, state="running", step=4)
    answer = tab.poll(run.run_id, seen(page))
    assert changed(answer) == {"beat", "list", "head"}
    assert 'data-pulse=""' in view(answer)["beat"], "it asks again"
    update_status(run.paths, state="finished")
    assert "curves" in changed(tab.poll(run.run_id, seen(page, answer))), "an end is shown at once"
    update_status(run.paths, state="running")
    later = time.time() + 5
    monkeypatch.setattr(time, "time", lambda: later)
    assert "curves" in changed(tab.poll(run.run_id, seen(page, answer)))


def test_curves_carry_the_names_and_dates_of_their_runs(tab, run):
    started = time.mktime((2026, 11, 30, 10, 0, 0, 0, 0, -1))
    update_status(run.paths, started=started, ended=started + 1_200, state="finished")
    other = tab.context.runs.create(RunConfig(name="other"))
    EventLog(other.paths.events).append("metrics", step=1, loss=1.0)
    shown = view(tab.show(run.run_id, [other.run_id], 0.0, False))["curves"]
    assert "&lt;i&gt;mine&lt;/i&gt; · 2026-11-30 10:00 to 2026-11-30 10:20" in shown
    day = time.strftime("%Y-%m-%d")
    assert f"other · made {day}" in shown
    assert "<td>2026-11-30 10:00</td><td>–</td>" in shown


def test_curves_are_as_long_as_the_run_will_be_and_then_as_it_was(tab, run):
    update_status(run.paths, state="running", step=3, total_steps=600)
    assert 'data-right="600"' in view(tab.show(run.run_id))["curves"]
    update_status(run.paths, state="failed")
    assert 'data-right="3"' in view(tab.show(run.run_id))["curves"]


def test_smoothing_and_log_scale_change_the_curves(tab, run):
    log = EventLog(run.paths.events)
    for step in range(4, 60):
        log.append("metrics", step=step, loss=100.0 / step)
    plain = view(tab.show(run.run_id, [], 0.0, False))["curves"]
    smooth = view(tab.show(run.run_id, [], 0.9, False))["curves"]
    logarithmic = view(tab.show(run.run_id, [], 0.0, True))["curves"]
    assert 'class="raw"' in smooth and 'class="raw"' not in plain
    assert logarithmic != plain
