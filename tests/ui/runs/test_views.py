"""The list of runs, and a run's health, probes and log as HTML."""

from __future__ import annotations

import re
import time

from studio.config import RunConfig, run_file
from studio.runs import queue
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from tests.ui.runs.runs_tab import view


def test_chosen_run_is_drawn_and_inert(tab, run):
    update_status(run.paths, state="running", step=3, total_steps=10, started=time.time())
    shown = view(tab.show(run.run_id))
    assert "step 3 of 10" in shown["head"] and "7 min left" in shown["head"]
    assert "Reward margin" in shown["curves"]
    everything = "".join(shown[name] for name in ("list", "head", "curves", "log", "settings"))
    assert "<script>" not in everything and "<i>mine" not in everything


def test_findings_are_shown_with_meaning_and_remedy(tab, run):
    log = EventLog(run.paths.events)
    log.append("finding", id="drift", step=3, title="<far>", meaning="It moved.", remedy="Stop.")
    log.append("forgetting", before=1.0)
    log.append("forgetting", after=1.5)
    health = view(tab.show(run.run_id))["health"]
    assert "&lt;far&gt;" in health and "It moved." in health and "Stop." in health
    assert "rose from 1 to 1.5" in health


def test_probes_stand_beside_what_the_base_says(tab, run):
    log = EventLog(run.paths.events)
    log.append("probe_rows", rows=[{"question": "<q>", "images": ["ab"], "base": "no idea"}])
    log.append("probe", step=5, answers=["three"], answer_tokens=1.0)
    shown = view(tab.show(run.run_id))
    for text in ("&lt;q&gt;", "/studio/thumbs/ab", "no idea", "step 5", "three"):
        assert text in shown["probes"]
    assert "Answer length" in shown["curves"]
    for step, said in ((10, "four"), (15, "four"), (1000, "four"), (1100, "three")):
        log.append("probe", step=step, answers=[said])
    lines = re.findall(
        r"<li><span[^>]*>([^<]*)</span><span>([^<]*)", view(tab.show(run.run_id))["probes"]
    )
    assert lines == [
        ("base", "no idea"),
        ("step 5", "three"),
        ("steps 10 – 1,000", "four"),
        ("step 1,100", "three"),
    ]


def test_a_probe_without_an_answer_says_so(tab, run):
    log = EventLog(run.paths.events)
    log.append("probe_rows", rows=[{"question": "q", "images": [], "base": " "}])
    log.append("probe", step=5, answers=[""], answer_tokens=0.0)
    log.append("probe", step=6, answers=[""], written=[0])
    log.append("probe", step=7, answers=[" "], written=[12])
    shown = view(tab.show(run.run_id))["probes"]
    assert shown.count("(empty answer)") == 4
    assert "ended its answer at once (0 tokens)" in shown
    assert "wrote 12 tokens of which nothing can be seen" in shown


def test_what_was_forgotten_is_told_with_its_step_or_as_nothing(tab, run):
    log = EventLog(run.paths.events)
    log.append("forgetting", before=0.0002)
    log.append("forgetting", step=3, after=0.006)
    assert "Little was forgotten" in view(tab.show(run.run_id))["health"]
    log.append("forgetting", step=3, after=1.2)
    health = view(tab.show(run.run_id))["health"]
    assert "Forgetting" in health and "step 3" in health and "step 0" not in health


def test_a_waiting_run_says_when_it_starts(tab, run):
    second = tab.context.runs.create(RunConfig(name="second"))
    job = {"launch": {"engine": "hf-jobs:t4-small"}}

    def said(name, paused=False):
        queue.set_paused(tab.context.workspace, paused)
        return view(tab.show(name.run_id))["head"]

    assert "Starts in a moment" in said(run) and "1 run goes first" in said(second)
    assert "queue is paused" in said(second, paused=True)
    busy = tab.context.runs.create(RunConfig(name="<busy>"), state="running")
    assert "starts when &quot;&lt;busy&gt;&quot; ends" in said(run)
    run_file.save(run_file.parse(job), busy.paths.config)
    assert "Starts in a moment" in said(run), "a job takes no place here"
    assert view(tab.show(run.run_id))["stop_now"]["value"] == "Take off the queue"


def test_what_goes_on_stands_first_then_the_queue_then_what_ended(tab, run):
    made = {
        state: tab.context.runs.create(RunConfig(name=state), state=state)
        for state in ("running", "failed")
    }
    shown = view(tab.show(run.run_id))["list"]
    places = [shown.index(made["running"].run_id), shown.index("Queue: 1 waiting")]
    places += [shown.index(run.run_id), shown.index(made["failed"].run_id)]
    assert places == sorted(places)


def test_unreadable_run_file_does_not_hide_the_others(tab, run):
    other = tab.context.runs.create(RunConfig(name="fine"))
    (tab.context.workspace.runs / ".DS_Store").write_text("what a desktop leaves behind")
    (tab.context.workspace.runs / "empty").mkdir()
    for damaged in (b"unknown: 1\n", b"", b"[1]", b"name: \xff", b"{", b"adapter: 7\n"):
        run.paths.config.write_bytes(damaged)
        shown = view(tab.show(run.run_id))
        assert "fine" in shown["list"] and run.run_id in shown["list"], damaged
        assert "cannot be read" in shown["head"] and other.run_id in shown["list"]


def test_the_page_of_a_job_is_a_link_and_other_words_are_words(tab, run):
    log = EventLog(run.paths.events)
    log.append("changed", message='Submitted as job 1: https://hub.example/jobs/ana/1"><b>')
    log.append("warning", message="Row 3 says http://row.example", remedy="<i>")
    health = view(tab.show(run.run_id))["health"]
    assert health.count("<a ") == 1 and '<a href="https://hub.example/jobs/ana/1"' in health
    assert "<b>" not in health.replace("<p><b>", "") and "&lt;i&gt;" in health
