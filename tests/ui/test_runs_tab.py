"""The Runs tab reads everything from disk and acts through the supervisor."""

import time

import gradio as gr
import pytest

from studio.config import RunConfig
from studio.errors import ConflictError
from studio.paths import Workspace
from studio.runs import checkpoints
from studio.runs.events import EventLog
from studio.runs.status import update_status
from studio.runs.store import RunStore
from studio.ui.context import StudioContext
from studio.ui.runs_state import RunReader, ago
from studio.ui.tabs.runs import RunsTab

NAMES = ("chosen", "seen", "list", "head", "detail", "curves", "log", "settings")
BUTTONS = ("chat", "stop", "stop_now", "resume", "clone", "delete")


class FakeSupervisor:
    def __init__(self):
        self.calls = []

    def stop(self, run_id, now=False):
        self.calls.append(("stop", run_id, now))

    def resume(self, run_id):
        raise ConflictError("<b>is running</b>")


@pytest.fixture
def tab(tmp_path):
    workspace = Workspace.locate(tmp_path)
    store = RunStore(workspace)
    context = StudioContext(workspace, None, None, store, FakeSupervisor(), None, None)
    made = RunsTab(context, RunReader(store))
    made.buttons = dict.fromkeys(BUTTONS)
    return made


@pytest.fixture
def run(tab):
    made = tab.context.runs.create(RunConfig(name="<i>mine</i>", method="dpo"))
    log = EventLog(made.paths.events)
    for step in (1, 2, 3):
        log.append("metrics", step=step, loss=3.0 / step, **{"rewards/margins": step / 10})
    log.append("progress", step=3, total=10, seconds_per_step=60.0)
    made.paths.log.write_text("line <script>\n")
    return made


def view(values):
    return dict(zip((*NAMES, *BUTTONS), values, strict=True))


def visible(shown):
    return {name for name in BUTTONS if shown[name]["visible"]}


def test_nothing_yet_says_what_to_do(tab):
    shown = view(tab.show(None))
    assert "No runs yet" in shown["list"]
    assert shown["detail"]["visible"] is False


def test_chosen_run_is_drawn_and_inert(tab, run):
    update_status(run.paths, state="running", step=3, total_steps=10, started=time.time())
    shown = view(tab.show(run.run_id))
    assert "step 3 of 10" in shown["head"] and "7 min left" in shown["head"]
    assert "Reward margin" in shown["curves"]
    everything = "".join(shown[name] for name in ("list", "head", "curves", "log", "settings"))
    assert "<script>" not in everything and "<i>mine" not in everything


def test_poll_is_silent_until_something_changes(tab, run):
    seen = view(tab.show(run.run_id))["seen"]
    assert all(value == gr.skip() for value in tab.poll(run.run_id, seen))
    EventLog(run.paths.events).append("metrics", step=4, loss=0.5)
    assert view(tab.poll(run.run_id, seen))["seen"] != seen


def test_stale_poll_does_not_undo_a_choice(tab, run):
    assert view(tab.poll(None, ""))["chosen"] == gr.skip()
    assert view(tab.follow((run.run_id, 1)))["chosen"] == run.run_id


def test_actions_fit_the_state(tab, run):
    assert visible(view(tab.show(run.run_id))) == {"stop_now", "clone"}
    update_status(run.paths, state="running")
    assert visible(view(tab.show(run.run_id))) == {"stop", "stop_now", "clone"}
    update_status(run.paths, state="stopped")
    assert visible(view(tab.show(run.run_id))) == {"resume", "clone", "delete"}
    run.paths.adapter.mkdir()
    checkpoints.mark_complete(run.paths.adapter)
    update_status(run.paths, state="finished")
    assert visible(view(tab.show(run.run_id))) == {"chat", "clone", "delete"}


def test_failure_shows_cause_remedy_and_last_words(tab, run):
    update_status(
        run.paths,
        state="failed",
        message="Memory ran out. Last words: <OutOfMemoryError>",
        remedy="Lower batch.per_device.",
    )
    head = view(tab.show(run.run_id))["head"]
    assert "Memory ran out." in head and "Lower batch.per_device." in head
    assert "&lt;OutOfMemoryError&gt;" in head


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


def test_delete_needs_the_confirmation(tab, run):
    update_status(run.paths, state="finished")
    tab.delete(None)
    assert run.paths.root.exists()
    tab.delete(run.run_id)
    assert not run.paths.root.exists()


def test_unreadable_run_file_does_not_hide_the_others(tab, run):
    other = tab.context.runs.create(RunConfig(name="fine"))
    run.paths.config.write_text("unknown: 1\n")
    shown = view(tab.show(run.run_id))
    assert "fine" in shown["list"] and run.run_id in shown["list"]
    assert "cannot be read" in shown["head"]
    assert other.run_id in shown["list"]


def test_header_shows_the_run_going_on(tab, run):
    assert RunReader(tab.context.runs).current().run.run_id == run.run_id
    update_status(run.paths, state="finished")
    assert RunReader(tab.context.runs).current() is None


def test_times_in_words():
    assert ago(1000, 1030) == "just now"
    assert ago(1000, 1000 + 600) == "10 min ago"
    assert ago(1000, 1000 + 7300) == "2 h ago"
