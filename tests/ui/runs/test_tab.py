"""The Runs tab reads everything from disk and acts through the supervisor."""

from __future__ import annotations

import re

import gradio as gr
import pytest

from studio.config import RunConfig
from studio.core.paths import write_json
from studio.runs import checkpoints
from studio.runs.status import update_status
from studio.ui.shell.app import build_page
from tests.ui.runs.runs_tab import NAMES, changed, seen, view


class Clicked:
    """What the page sends when something of an HTML component is clicked."""

    def __init__(self, **data):
        self._data = data


def test_nothing_yet_says_what_to_do(tab):
    shown = view(tab.show(None))
    assert "No runs yet" in shown["list"]
    assert "Choose a run" in shown["head"]


def test_a_page_just_opened_shows_the_newest_run_and_then_what_changed(tab, run):
    page = tab.look(None, "{}")
    assert view(page)["chosen"] == run.run_id
    assert changed(tab.look(run.run_id, seen(page))) == set()


def test_the_queue_is_steered_from_the_list(tab, run):
    second = tab.context.runs.create(RunConfig(name="second"))
    shown = view(tab.show(run.run_id))
    assert "2 waiting" in shown["list"] and 'data-act="up"' in shown["list"]
    assert shown["list"].index(run.run_id) < shown["list"].index(second.run_id)
    tab.pick(Clicked(run=second.run_id, act="up"), run.run_id)
    tab.pick(Clicked(act="pause"), run.run_id)
    tab.pick(Clicked(act="go"), None)
    assert tab.context.supervisor.calls == [
        ("move", second.run_id, -1),
        ("pause", True),
        ("pause", False),
    ]
    assert view(tab.pick(Clicked(run=second.run_id), run.run_id))["chosen"] == second.run_id


def test_a_run_that_is_gone_is_said_to_be_and_is_compared_with_no_more(tab, run):
    other = tab.context.runs.create(RunConfig(name="other"), state="failed")
    page = tab.show(run.run_id, [other.run_id], 0.0, False)
    assert "value" not in view(page)["compare"]
    tab.context.runs.delete(other.run_id)
    shown = view(tab.poll(run.run_id, seen(page), [other.run_id], 0.0, False))
    assert shown["compare"]["value"] == []
    assert "was deleted" in view(tab.show(other.run_id))["head"]
    assert view(tab.show(run.run_id, ["typed"]))["compare"]["value"] == []


def test_an_ended_run_goes_back_or_on(tab, run):
    folder = run.paths.checkpoints / "checkpoint-2"
    folder.mkdir(parents=True)
    checkpoints.mark_complete(folder)
    assert "data-step" not in view(tab.show(run.run_id))["checkpoints"]
    update_status(run.paths, state="finished")
    shown = view(tab.show(run.run_id))
    assert 'data-step="2"' in shown["checkpoints"] and "data-ended" in shown["head"]
    assert 'data-use="2"' in shown["checkpoints"]
    write_json(run.paths.adapter / checkpoints.MARKER, {"step": 2})
    assert "data-use" not in view(tab.show(run.run_id))["checkpoints"]
    assert "linear schedule is laid over the new length" in shown["longer_note"]
    write_json(run.paths.plan, {"train_rows": 160})
    update_status(run.paths, step=10, total_steps=10)
    foretold = tab.foretell(run.run_id, "3")
    assert "30 steps in all, 20 more than now" in foretold
    assert "at step 2 the learning rate goes from" in foretold
    assert "10 are done" in tab.foretell(run.run_id, "1")
    assert "&#x27;&lt;b&gt;&#x27; is no number" in tab.foretell(run.run_id, "<b>")
    assert tab.foretell(run.run_id, " ") == tab.foretell(run.run_id, "")
    tab.go_back(Clicked(step="2"), run.run_id)
    tab.go_back(Clicked(use="2"), run.run_id)
    tab.extend(run.run_id, "5,0")
    assert tab.context.supervisor.calls == [
        ("resume", run.run_id, 2),
        ("use", run.run_id, 2),
        ("extend", run.run_id, 5.0),
    ]


@pytest.mark.parametrize("typed", ["", "many", "0", "-1", "nan", "inf", "1e9"])
def test_what_is_no_number_of_epochs_is_said_and_starts_nothing(tab, run, monkeypatch, typed):
    said = []
    monkeypatch.setattr("studio.ui.runs.tab.say", said.append)
    assert set(map(str, tab.extend(run.run_id, typed))) == {str(gr.skip())}
    assert re.search("number of epochs in all|are the most", said[0].remedy)
    assert not tab.context.supervisor.calls
    assert tab.foretell(run.run_id, typed) == ""


def test_stop_goes_to_the_supervisor(tab, run):
    tab.stop(run.run_id)
    tab.stop_now(run.run_id)
    assert tab.context.supervisor.calls == [
        ("stop", run.run_id, False),
        ("stop", run.run_id, True),
    ]


def test_refused_action_is_told_as_text(tab, run, monkeypatch):
    told = []
    monkeypatch.setattr(gr, "Warning", lambda message, **_: told.append(message))
    tab.resume(run.run_id)
    assert told == ["&lt;b&gt;is running&lt;/b&gt;"]


def test_delete_needs_the_confirmation(tab, run, monkeypatch):
    update_status(run.paths, state="finished")
    tab.delete(None)
    assert run.paths.root.exists()
    tab.delete(run.run_id)
    assert not run.paths.root.exists()
    monkeypatch.setattr(gr, "Warning", lambda *_, **__: pytest.fail("it is gone, as was wanted"))
    tab.delete(run.run_id)


def test_what_is_compared_is_never_checked_against_what_gradio_remembers(tab):
    """It remembers nothing of a page that was open while the studio was restarted."""
    page = build_page(tab.context, ("runs",))
    asked = [
        event
        for event in page.fns.values()
        if any(getattr(part, "elem_id", "") == "run-compare" for part in event.inputs)
    ]
    assert len(asked) > 10 and not any(event.preprocess for event in asked)


def test_a_run_just_started_is_shown_whichever_answer_comes_last(tab, run):
    """Opening the tab is asked with the run chosen before, while the link is followed."""
    new = tab.context.runs.create(RunConfig(name="just started"))
    link, looks = (new.run_id, 1), (None, 0.0, False)
    for answer in (tab.arrive(run.run_id, *looks, link, ""), tab.follow(link, *looks)):
        shown = dict(zip(NAMES, answer, strict=False))
        assert shown["chosen"] == new.run_id and "just started" in shown["head"]
    assert tab.follow(link, *looks)[-1] == "1"
    assert changed(tab.look(run.run_id, "", *looks, link, "")) == set(), "what is old is not drawn"
    later = dict(zip(NAMES, tab.arrive(run.run_id, *looks, link, "1"), strict=False))
    assert "mine" in later["head"], "another run may be chosen after that"
