"""The Runs tab reads everything from disk and acts through the supervisor."""

import json
import os
import re
import time

import gradio as gr
import psutil
import pytest
from filelock import FileLock

from studio.api.context import StudioContext
from studio.config import RunConfig, run_file
from studio.core.errors import ConflictError
from studio.core.paths import Workspace, write_json
from studio.runs import checkpoints, queue
from studio.runs.control import command_file
from studio.runs.event_log import EventLog
from studio.runs.status import update_status
from studio.runs.store import RunStore
from studio.ui.runs.state import RunReader, ago, current
from studio.ui.runs.tab import ACTIONS, SHOWN, RunsTab
from studio.ui.shell.app import build_page

NAMES = ("chosen", *SHOWN)
BUTTONS = tuple(name for name, *_ in ACTIONS)


class FakeSupervisor:
    def __init__(self):
        self.calls = []

    def stop(self, run_id, now=False):
        self.calls.append(("stop", run_id, now))

    def resume(self, run_id, step=None):
        if step is None:
            raise ConflictError("<b>is running</b>")
        self.calls.append(("resume", run_id, step))

    def save_now(self, run_id):
        self.calls.append(("save_now", run_id))

    def push(self, run_id):
        self.calls.append(("push", run_id))

    def extend(self, run_id, epochs):
        self.calls.append(("extend", run_id, epochs))

    def use_checkpoint(self, run_id, step):
        self.calls.append(("use", run_id, step))

    def move(self, run_id, by):
        self.calls.append(("move", run_id, by))

    def pause(self, paused):
        self.calls.append(("pause", paused))


class Clicked:
    """What the page sends when something of an HTML component is clicked."""

    def __init__(self, **data):
        self._data = data


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


def seen(*answers):
    """What a page carries that was painted with these answers, one after the other."""
    words = {}
    for answer in answers:
        drawn = "".join(value for value in view(answer).values() if isinstance(value, str))
        words |= dict(re.findall(r'data-part="([^"]*)" data-shown="([^"]*)"', drawn))
    return json.dumps(words)


def changed(answer):
    return {name for name, value in view(answer).items() if value != gr.skip()}


def test_nothing_yet_says_what_to_do(tab):
    shown = view(tab.show(None))
    assert "No runs yet" in shown["list"]
    assert "Choose a run" in shown["head"]


def test_chosen_run_is_drawn_and_inert(tab, run):
    update_status(run.paths, state="running", step=3, total_steps=10, started=time.time())
    shown = view(tab.show(run.run_id))
    assert "step 3 of 10" in shown["head"] and "7 min left" in shown["head"]
    assert "Reward margin" in shown["curves"]
    everything = "".join(shown[name] for name in ("list", "head", "curves", "log", "settings"))
    assert "<script>" not in everything and "<i>mine" not in everything


def test_poll_is_silent_until_something_changes(tab, run):
    page = tab.show(run.run_id)
    assert changed(tab.poll(run.run_id, seen(page))) == set()
    EventLog(run.paths.events).append("metrics", step=4, loss=0.5)
    answer = tab.poll(run.run_id, seen(page))
    assert changed(answer) == {"beat", "curves"}
    assert changed(tab.poll(run.run_id, seen(page, answer))) == set()


def test_what_happens_to_another_run_redraws_the_list_alone(tab, run):
    page = tab.show(run.run_id)
    other = tab.context.runs.create(RunConfig(name="other"), state="stopped")
    page = (page, tab.poll(run.run_id, seen(page)))
    other.paths.log.write_text("a line\n")
    answer = tab.poll(run.run_id, seen(*page))
    assert changed(answer) == {"beat"} and 'data-pulse="' in view(answer)["beat"]
    update_status(other.paths, state="queued")
    assert changed(tab.poll(run.run_id, seen(*page, answer))) == {"beat", "list"}


def test_an_answer_that_came_late_is_painted_over(tab, run):
    other = tab.context.runs.create(RunConfig(name="other"), state="stopped")
    update_status(other.paths, state="stopped")
    late, page = tab.show(run.run_id), tab.show(other.run_id)
    answer = view(tab.poll(other.run_id, seen(page, late)))
    assert "other" in answer["head"] and answer["curves"] != gr.skip()
    assert answer["resume"]["visible"] and answer["compare"] != gr.skip()


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


@pytest.mark.parametrize("text", ["{", "[]", '{"curves": 3, "beat": null}', '{"curves": "a b c"}'])
def test_words_that_are_none_are_those_of_a_page_just_opened(tab, run, text):
    assert "head" in changed(tab.look(run.run_id, text))


def test_a_page_just_opened_shows_the_newest_run_and_then_what_changed(tab, run):
    page = tab.look(None, "{}")
    assert view(page)["chosen"] == run.run_id
    assert changed(tab.look(run.run_id, seen(page))) == set()


def test_stale_poll_does_not_undo_a_choice(tab, run):
    assert view(tab.poll(None, ""))["chosen"] == gr.skip()
    assert view(tab.follow((run.run_id, 1))[:-1])["chosen"] == run.run_id


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


def test_the_head_says_what_is_learned_of_the_rows_and_what_is_left_out(tab, run):
    plan = {"scored": "scores 7 assistant turns in 3 rows", "skipped": ["2 rows: longer than <9>"]}
    write_json(run.paths.plan, plan)
    head = view(tab.show(run.run_id))["head"]
    assert "Scores 7 assistant turns in 3 rows · left out: 2 rows: longer than &lt;9&gt;" in head


def test_runs_are_compared_in_one_figure_per_metric(tab, run):
    other = tab.context.runs.create(RunConfig(name="other"))
    EventLog(other.paths.events).append("metrics", step=1, loss=1.0)
    shown = view(tab.show(run.run_id, [other.run_id], 0.0, False))
    assert shown["curves"].count("<figcaption>Loss · training") == 1
    assert "other" in shown["curves"] and "--studio-run-2" in shown["curves"]
    assert [value for _, value in shown["compare"]["choices"]] == [other.run_id]
    assert f"metrics.csv?with={other.run_id}" in shown["exports"]
    table = shown["curves"].partition('<div class="plots"')[0]
    for words in ("&lt;i&gt;mine&lt;/i&gt;", "3 → 1", ">dpo</td><td>sft<"):
        assert words in table, words
    assert "adapter.rank" not in table, "what is alike is left out"


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


def test_what_came_of_a_run_is_said_when_it_has_ended(tab, run):
    log = EventLog(run.paths.events)
    for step, loss in ((1, 2.0), (2, 0.5), (3, 0.75)):
        log.append("evaluation", step=step, eval_loss=loss)
    assert "run-results" not in view(tab.show(run.run_id))["head"]
    update_status(run.paths, state="finished")
    head = view(tab.show(run.run_id))["head"]
    assert "<dt>Loss</dt><dd>3 → 1</dd>" in head
    assert "2 → 0.75 (lowest 0.5 at step 2)" in head


def test_runs_of_one_name_are_told_apart_by_their_time(tab, run):
    for name in ("same", "same", "other"):
        tab.context.runs.create(RunConfig(name=name))
    labels = [label for label, _ in view(tab.show(run.run_id))["compare"]["choices"]]
    assert sorted(labels) == ["other", "same · just now", "same · just now"]


def test_curves_are_as_long_as_the_run_will_be_and_then_as_it_was(tab, run):
    update_status(run.paths, state="running", step=3, total_steps=600)
    assert 'data-right="600"' in view(tab.show(run.run_id))["curves"]
    update_status(run.paths, state="failed")
    assert 'data-right="3"' in view(tab.show(run.run_id))["curves"]


def test_what_was_forgotten_is_told_with_its_step_or_as_nothing(tab, run):
    log = EventLog(run.paths.events)
    log.append("forgetting", before=0.0002)
    log.append("forgetting", step=3, after=0.006)
    assert "Little was forgotten" in view(tab.show(run.run_id))["health"]
    log.append("forgetting", step=3, after=1.2)
    health = view(tab.show(run.run_id))["health"]
    assert "Forgetting" in health and "step 3" in health and "step 0" not in health


def test_smoothing_and_log_scale_change_the_curves(tab, run):
    log = EventLog(run.paths.events)
    for step in range(4, 60):
        log.append("metrics", step=step, loss=100.0 / step)
    plain = view(tab.show(run.run_id, [], 0.0, False))["curves"]
    smooth = view(tab.show(run.run_id, [], 0.9, False))["curves"]
    logarithmic = view(tab.show(run.run_id, [], 0.0, True))["curves"]
    assert 'class="raw"' in smooth and 'class="raw"' not in plain
    assert logarithmic != plain


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


def test_a_run_that_is_gone_is_said_to_be_and_is_compared_with_no_more(tab, run):
    other = tab.context.runs.create(RunConfig(name="other"), state="failed")
    page = tab.show(run.run_id, [other.run_id], 0.0, False)
    assert "value" not in view(page)["compare"]
    tab.context.runs.delete(other.run_id)
    shown = view(tab.poll(run.run_id, seen(page), [other.run_id], 0.0, False))
    assert shown["compare"]["value"] == []
    assert "was deleted" in view(tab.show(other.run_id))["head"]
    assert view(tab.show(run.run_id, ["typed"]))["compare"]["value"] == []


def test_other_machines_take_a_run_that_nobody_trains_here(tab, run):
    for state, said in (
        ("queued", "Take it off the queue"),
        ("running", "stop it first"),
        ("finished", "longer first"),
        ("stopped", f'data-file="/studio/runs/{run.run_id}/run.sbatch"'),
    ):
        update_status(run.paths, state=state)
        shown = view(tab.show(run.run_id))["elsewhere"]
        assert said in shown and "hf-jobs:" in shown and "data-look" not in shown
    run_file.save(run_file.parse({"launch": {"engine": "hf-jobs:t4-small"}}), run.paths.config)
    assert "data-look" in view(tab.show(run.run_id))["elsewhere"]
    update_status(run.paths, state="running")
    assert "on its way" in view(tab.show(run.run_id))["elsewhere"]


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


def test_unreadable_run_file_does_not_hide_the_others(tab, run):
    other = tab.context.runs.create(RunConfig(name="fine"))
    (tab.context.workspace.runs / ".DS_Store").write_text("what a desktop leaves behind")
    (tab.context.workspace.runs / "empty").mkdir()
    for damaged in (b"unknown: 1\n", b"", b"[1]", b"name: \xff", b"{", b"adapter: 7\n"):
        run.paths.config.write_bytes(damaged)
        shown = view(tab.show(run.run_id))
        assert "fine" in shown["list"] and run.run_id in shown["list"], damaged
        assert "cannot be read" in shown["head"] and other.run_id in shown["list"]


def test_header_shows_the_run_going_on(tab, run):
    assert current(RunReader(tab.context.runs).list()).run.run_id == run.run_id
    update_status(run.paths, state="finished")
    assert current(RunReader(tab.context.runs).list()) is None


def test_times_in_words():
    assert ago(1000, 1030) == "just now"
    assert ago(1000, 1000 + 600) == "10 min ago"
    assert ago(1000, 1000 + 7300) == "2 h ago"


def test_the_page_of_a_job_is_a_link_and_other_words_are_words(tab, run):
    log = EventLog(run.paths.events)
    log.append("changed", message='Submitted as job 1: https://hub.example/jobs/ana/1"><b>')
    log.append("warning", message="Row 3 says http://row.example", remedy="<i>")
    health = view(tab.show(run.run_id))["health"]
    assert health.count("<a ") == 1 and '<a href="https://hub.example/jobs/ana/1"' in health
    assert "<b>" not in health.replace("<p><b>", "") and "&lt;i&gt;" in health


def test_what_is_compared_is_never_checked_against_what_gradio_remembers(tab):
    """It remembers nothing of a page that was open while the studio was restarted."""
    page = build_page(tab.context, ("runs",))
    asked = [
        event
        for event in page.fns.values()
        if any(getattr(part, "elem_id", "") == "run-compare" for part in event.inputs)
    ]
    assert len(asked) > 10 and not any(event.preprocess for event in asked)


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
