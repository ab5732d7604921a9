"""The Train form's handlers, with a planner and a supervisor that only remember."""

import inspect

import gradio as gr
import pytest
import yaml

from studio.api.context import StudioContext
from studio.config import RunConfig, presets, run_file
from studio.core.errors import FieldProblem, RunFailedError
from studio.core.paths import Workspace, write_json
from studio.data.manifest import MANIFEST
from studio.launch.demo import second_step
from studio.launch.planner import Loading
from studio.runs.run_plan import Plan
from studio.runs.store import RunStore
from studio.training.planning.dry_step import Measured, calibrated
from studio.ui.train.form_values import of_form
from studio.ui.train.settings_form import config_from, widgets_of
from studio.ui.train.state import preset_choices
from studio.ui.train.tab import TrainTab
from tests.ui.fake_planner import GIB, PLAN, FakePlanner


class FakeSupervisor:
    def __init__(self):
        self.submitted = []

    def submit(self, config):
        self.submitted.append(config)
        return "run-1"


@pytest.fixture
def tab(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.ui.train.plan.SETTLE_SECONDS", 0)
    monkeypatch.setattr("studio.ui.train.plan.LOOK_SECONDS", 0)
    workspace = Workspace.locate(tmp_path)
    context = StudioContext(
        workspace, None, None, RunStore(workspace), FakeSupervisor(), FakePlanner(), None
    )
    return TrainTab(context)


def form(tab, config=None, **changes):
    values = widgets_of(tab.specs, config or RunConfig())
    paths = [spec.path for spec in tab.specs]
    for path, value in changes.items():
        values[paths.index(path.replace("__", "."))] = value
    return values


def is_skip(value):
    return value == gr.skip()


def planned(tab, *, target="here", opened=True, seen=None, shown=None):
    """The answers of one look at the plan: line, trouble, plan, what is kept, errors."""
    return list(tab.plan.work_out(None, opened, target, seen, *(shown or form(tab))))


def event(**data):
    return gr.EventData(None, data)


def test_effective_batch_is_told_at_once(tab):
    shown = form(tab, batch__per_device=2, batch__total=8)
    summary, problems, text, remembered, *_ = tab.check("here", {}, *shown)
    assert "2 × 4 = 8" in summary
    assert problems == []
    assert run_file.parse(yaml.safe_load(text)).batch.total == 8
    assert remembered["batch.total"] == 8


def test_wrong_settings_are_named_and_kept_and_hold_start_back(tab):
    shown = form(tab, schedule__max_steps="many")
    _, problems, text, remembered, _, start, reason = tab.check("here", {}, *shown)
    assert [problem["field"] for problem in problems] == ["schedule.max_steps"]
    assert is_skip(text)
    assert remembered["schedule.max_steps"] == "many"
    assert not start["interactive"] and "Most steps" in reason


def test_contradictions_are_found_without_a_model(tab):
    values = form(tab, model__quantization="nf4", adapter=False)
    _, problems, *_ = tab.check("here", {}, *values)
    assert problems[0]["field"] == "adapter"
    assert tab.context.planner.asked == []


def test_plan_shows_trained_share_and_memory_and_is_inert(tab):
    waiting, (line, trouble, drawn, kept, problems) = planned(tab)
    assert "Updating" in waiting[0] and waiting[2]["elem_classes"][-1] == "updating"
    assert "value" not in waiting[2]
    html = drawn["value"]
    assert "updating" not in drawn["elem_classes"]
    assert "163,840 of 1.92 M (8.5 %)" in html
    assert "<b>slow</b>" not in html and "&lt;b&gt;slow" in html
    assert "weights 2 GiB, adapter 1 GiB" in html and "does not fit" in html
    assert (trouble, problems) == ("", []) and "Up to date" in line
    assert Plan.from_json(kept) == PLAN


def test_nothing_is_planned_before_the_tab_was_opened(tab):
    assert all(is_skip(part) for part in planned(tab, opened=False)[0])
    assert tab.context.planner.asked == []


def test_problems_of_the_planner_go_to_their_field_and_the_old_plan_stays(tab):
    tab.context.planner.problem = FieldProblem(
        "adapter.targets", "matches nothing.", "Use language."
    )
    *_, (_, trouble, drawn, kept, problems) = planned(tab)
    assert problems == [{"field": "adapter.targets", "text": "matches nothing. Use language."}]
    assert "Where it is applied" in trouble
    assert is_skip(drawn) and is_skip(kept)


def test_answer_to_an_earlier_form_is_dropped(tab):
    newer = form(tab, name="newer")
    tab.context.planner.during = lambda: tab.plan.wanted.keep("", ("here", tuple(newer)))
    *_, last = planned(tab)
    assert all(is_skip(part) for part in last)


def test_plan_for_a_gpu_that_is_not_here(tab):
    planned(tab, target="24 GB")
    assert tab.context.planner.asked[0][1] == 24.0
    *_, start, reason = tab.check("24 GB", {}, *form(tab))
    assert not start["interactive"] and "24 GB" in reason
    _, problems, *_ = tab.check("huge", {}, *form(tab))
    assert problems[0]["field"] == "target"


def test_dry_step_belongs_to_its_settings(tab):
    *_, (_, stop, line, trouble, _, seen) = tab.tools.measure(None, "here", *form(tab))
    assert "Measured" in line and trouble == "" and not stop["visible"]
    html = planned(tab, seen=seen)[-1][2]["value"]
    assert "Measured: <b>8 GiB</b>, planned: <b>10 GiB</b> (25 % more)" in html
    assert "2 s, measured" in html and "about 50 s" in html
    renamed = planned(tab, seen=seen, shown=form(tab, name="other", schedule__epochs=2))
    assert "Measured: <b>8 GiB" in renamed[-1][2]["value"]
    other = planned(tab, seen=seen, shown=form(tab, batch__per_device=8))[-1][2]["value"]
    assert "Measured before, for SFT, embedded, 4 rows at once: 8 GiB" in other
    assert "2 s, measured" not in other
    tab.context.planner.found = calibrated(PLAN, Measured(8 * GIB, 2.0))
    tab.plan.plans.clear()
    for shown in (form(tab), form(tab, name="other")):
        drawn, kept = tab.plan.redraw(PLAN.to_json(), seen, *shown)
        assert kept["memory"]["total"] == 8 * GIB
        assert "<b>8 GiB</b> of 8 GiB" in drawn and "✓ fits" in drawn
        assert "Measured: <b>8 GiB</b>, planned: <b>10 GiB</b> (25 % more)" in drawn
    assert tab.plan.redraw(None, seen, *form(tab)) == (gr.skip(), gr.skip())


def test_dry_step_is_refused_beside_the_field_and_elsewhere(tab):
    tab.context.planner.problem = FieldProblem("model.id", "has no weights.")
    *_, (button, _, _, trouble, problems, seen) = tab.tools.measure(None, "here", *form(tab))
    assert button["interactive"] and "has no weights" in trouble
    assert problems[0]["field"] == "model.id" and is_skip(seen)
    *_, (_, _, _, trouble, _, _) = tab.tools.measure(None, "24", *form(tab))
    assert "this machine" in trouble


def test_a_dry_step_whose_process_ends_says_so(tab):
    def ends():
        raise RunFailedError("The process was closed.", remedy="Try again.")

    tab.context.planner.during = ends
    *_, (button, _, line, trouble, _, _) = tab.tools.measure(None, "here", *form(tab))
    assert button["interactive"] and "Not measured" in line
    assert "The process was closed." in trouble and "Try again." in trouble


def test_batch_size_found_can_be_used_and_counts_as_measured(tab):
    *_, (_, _, _, told, use, changes, _) = tab.tools.find_batch(None, "here", *form(tab))
    assert "6 GiB, measured, of 8 GiB" in told and "ran out at 16" in told
    assert use["visible"] and use["value"] == "Use 8 at once"
    put = dict(zip([s.path for s in tab.specs], tab.plan.put(changes), strict=True))
    assert [path for path, value in put.items() if not is_skip(value)] == ["batch.per_device"]
    assert put["batch.per_device"] == 8
    html = planned(tab, shown=form(tab, batch__per_device=8))[-1][2]["value"]
    assert "Measured: <b>6 GiB</b>" in html


@pytest.mark.parametrize("trial", ["measure", "find_batch"])
def test_a_trial_is_stopped_by_its_own_page_and_says_so(tab, trial):
    planner, stops = tab.context.planner, []
    planner.during = lambda: stops.append(tab.tools.stop())
    first, last = list(getattr(tab.tools, trial)(None, "here", *form(tab)))
    assert first[1]["visible"] and "Stopping" in stops[0]["value"]
    button, stop, line, *_ = last
    assert button["interactive"] and not stop["visible"] and "stopped" in line
    assert not tab.tools.stop()["visible"]


def test_a_planner_that_starts_tells_what_it_loads(tab):
    planner, stages = tab.context.planner, [Loading("PyTorch", 1.2), Loading("TRL", 3.0), None]
    planner.ready = False
    type(planner).loading = property(lambda _: stages.pop(0))
    try:
        told = [parts[0] for parts in planned(tab)]
    finally:
        type(planner).loading = None
    assert "PyTorch … 1 s" in told[1] and "TRL … 3 s" in told[2]
    assert "first plan" in told[3] and "Up to date" in told[4]


def test_range_test_draws_a_curve_and_offers_its_rate(tab):
    first, *during, last = tab.tools.range.test("here", *form(tab))
    assert not first[0]["interactive"] and first[4]["visible"]
    assert "step 40" in during[-1][1] and "<polyline" in during[-1][2]
    button, _, drawn, use, stop, changes, _ = last
    assert button["interactive"] and use["visible"] and not stop["visible"]
    assert use["value"] == f"Use {changes['optimizer.learning_rate']:g}"
    assert "Suggested learning rate" in drawn and "suggested" in drawn
    tab.context.planner.losses = [3.0, 2.9, None]
    *_, (button, line, drawn, use, _, changes, _) = tab.tools.range.test("here", *form(tab))
    assert "<polyline" in drawn and "closed" in drawn and "did not finish" in line
    assert button["interactive"] and not use["visible"] and changes is None
    *_, (*_, changes, _) = tab.tools.range.test("24", *form(tab))
    assert changes is None


def test_suggestion_changes_its_settings_only(tab):
    put = tab.plan.apply(PLAN.to_json(), event(index="0"))
    changed = [spec.path for spec, value in zip(tab.specs, put, strict=True) if not is_skip(value)]
    assert changed == ["adapter"]
    for wrong in ("7", "-1", "x"):
        assert all(is_skip(value) for value in tab.plan.apply(PLAN.to_json(), event(index=wrong)))
    put = tab.plan.put({"adapter": {"rank": 4}, "dpo.losses": {"ipo": 1.0}})
    shown = {s.path: value for s, value in zip(tab.specs, put, strict=True) if not is_skip(value)}
    assert shown == {"adapter": True, "adapter.rank": 4, "dpo.losses": "ipo: 1"}


def test_value_that_cannot_be_used_is_taken_back(tab, monkeypatch):
    reasons = {"optimizer.name": {"lomo": "needs the package lomo-optim"}}
    monkeypatch.setattr("studio.ui.train.availability.unavailable", lambda device=None: reasons)
    told = []
    monkeypatch.setattr(gr, "Warning", lambda text, title: told.append((title, text)))
    *_, usable, _, _ = tab.check("here", {}, *form(tab, optimizer__name="adafactor"))
    refuse = tab.availability.refuser("optimizer.name")
    assert refuse("lomo", usable, "here") == "adafactor"
    assert "lomo-optim" in told[0][1]
    assert is_skip(refuse("sgd", usable, "here"))
    device, *labels = tab.availability.relabel("24", None)
    assert device == "cuda" and all(is_skip(v) for v in tab.availability.relabel("24", "cuda"))
    named = [label for update in labels for label, _ in update["choices"]]
    assert "lomo (unavailable: needs the package lomo-optim)" in named


def test_start_submits_and_leads_to_the_run(tab):
    *_, target, place = tab.submit(*form(tab, name="mine"))
    assert tab.context.supervisor.submitted[0].name == "mine"
    assert target[0] == "run-1"
    assert place.selected == "runs"


def test_start_refuses_what_cannot_run(tab):
    tab.context.planner.problem = FieldProblem("data.columns", "no column x.")
    button, _, problems, target, place = tab.submit(*form(tab))
    assert tab.context.supervisor.submitted == []
    assert problems[0]["field"] == "data.columns"
    assert button["interactive"] and is_skip(target) and is_skip(place)


def test_start_reuses_the_plan_on_screen(tab):
    planned(tab)
    tab.submit(*form(tab))
    assert len(tab.context.planner.asked) == 1


def test_form_comes_back_as_it_was_left(tab):
    left = dict(zip([s.path for s in tab.specs], form(tab, name="kept"), strict=True))
    assert tab.restore(left) == form(tab, name="kept")
    assert all(is_skip(value) for value in tab.restore(None))
    left["method"] = "ppo"
    assert is_skip(tab.restore(left)[[s.path for s in tab.specs].index("method")])


def test_method_switches_samples_and_rate_but_not_a_choice(tab):
    source, rate = tab.switch("dpo", "embedded:sft", 2e-4)
    assert (source["value"], rate) == ("embedded:preferences", 1e-5)
    source, rate = tab.switch("dpo", "my/data", 3e-4)
    assert (source["value"], rate) == ("my/data", 3e-4)


def test_preset_and_text_fill_the_form(tab):
    about, target, *values = tab.use_preset("embedded-dpo")
    assert target == "here"
    assert "evasive" in about
    assert values == widgets_of(tab.specs, presets.load("embedded-dpo"))
    error, problems, *values = tab.settings.use_text("name: a\nmodel: {idd: x}\n")
    assert problems[0]["field"] == "model.idd" and "model.id" in problems[0]["text"]
    assert error and all(is_skip(value) for value in values)
    text, error, problems, *values = tab.settings.use_file(b"name: from file\n")
    assert (text, error, problems) == ("name: from file\n", "", [])
    assert values == form(tab, name="from file")


def test_starter_is_planned_for_its_gpu_where_there_is_none(tab):
    labels = {name: label for label, name in preset_choices()}
    assert labels["gpu-08gb"] == "My GPU has 8 GB"
    assert labels["embedded-sft"] == "embedded-sft"
    planned(tab)
    _, target, *values = tab.use_preset("gpu-08gb")
    assert target == "8" and values == widgets_of(tab.specs, presets.load("gpu-08gb"))
    tab.plan.device = "cuda"
    assert tab.use_preset("gpu-08gb")[1] == "here"


def test_no_file_and_no_method_change_nothing(tab):
    assert len(tab.settings.use_file(None)) == 3 + len(tab.specs)
    assert all(item == gr.skip() for item in tab.settings.use_file(None))
    assert all(item == gr.skip() for item in tab.offers(None))
    assert tab.switch(None, "", None) == (gr.skip(), gr.skip())


@pytest.mark.parametrize("text", ["notes: 2026-13-45", "a: !!int x", "a: " + "[" * 900, "1: 2"])
def test_an_odd_value_of_a_pasted_run_file_is_told_in_a_sentence(tab, text):
    told = tab.settings.use_text(text)[0]
    assert "line 1" in told or "Keys should be strings" in told


def test_the_second_step_is_the_same_from_form_command_run_file_and_demo(tab):
    """SFT then DPO: the preset, on the adapter of the first run."""
    _, _, *values = tab.use_preset("embedded-dpo")
    paths = [spec.path for spec in tab.specs]
    values[paths.index("adapter.continue_from")] = "first"
    by_form = config_from(tab.specs, values)
    file = presets.get_preset("embedded-dpo").path
    by_command = run_file.override(run_file.load_values(file), ["adapter.continue_from=first"])
    assert by_form == run_file.parse(by_command) == second_step("first")
    assert run_file.parse(yaml.safe_load(run_file.dump(by_form))) == by_form
    assert by_form.optimizer.learning_rate != 1e-5, "a preset keeps its own rate"


def test_without_a_preset_dpo_takes_its_default_rate_in_the_form_too(tab):
    _, rate = tab.switch("dpo", "embedded:sft", RunConfig().optimizer.learning_rate)
    assert rate == run_file.parse({"method": "dpo"}).optimizer.learning_rate == 1e-5


def test_export_can_be_trained_on_with_its_method(tab):
    folder = tab.context.workspace.exports / "mine-0123"
    folder.mkdir()
    write_json(
        folder / MANIFEST,
        {"format": "trl", "name": "mine", "method": "dpo", "rows": {"train": 40}, "created_at": 1},
    )
    method, source, rate, train, evaluation = tab.train_on(("exports/mine-0123", 1), 2e-4)
    assert (method, source["value"]) == ("dpo", "exports/mine-0123")
    assert (rate, train, evaluation) == (1e-5, "train", "")
    assert ("mine · 40 rows", "exports/mine-0123") in source["choices"]


def test_what_an_export_holds_out_is_evaluated_on_and_a_chosen_rate_stays(tab):
    folder = tab.context.workspace.exports / "mine-0123"
    folder.mkdir()
    rows = {"train": 36, "evaluation": 4}
    write_json(
        folder / MANIFEST,
        {"format": "trl", "name": "mine", "method": "dpo", "rows": rows, "created_at": 1},
    )
    _, _, rate, train, evaluation = tab.train_on(("exports/mine-0123", 1), 3e-4)
    assert (rate, train, evaluation) == (3e-4, "train", "evaluation")


def test_run_can_be_cloned(tab):
    run = tab.context.runs.create(RunConfig(name="earlier"))
    assert tab.clone((run.run_id, 1)) == form(tab, name="earlier")


def test_settings_are_kept_loaded_copied_and_forgotten(tab):
    panel = tab.settings
    panel.labels = tab.plan.labels
    told, kept, *_ = panel.save("mine", *form(tab, adapter__rank=4))
    assert "Saved as mine" in told and kept["choices"] == ["mine"] and kept["value"] == "mine"
    told, copied, *_ = panel.duplicate("mine")
    assert "mine copy" in told and copied["choices"] == ["mine", "mine copy"]
    _, *values = panel.load("mine copy")
    assert values == form(tab, adapter__rank=4)
    panel.delete("mine copy")
    assert panel.names() == ["mine"]
    told, *rest = panel.save("../mine", *form(tab))
    assert "no name to save" in told and all(is_skip(part) for part in rest[:3])
    told, *values = panel.load("gone")
    assert "No settings are saved" in told and all(is_skip(value) for value in values)


def test_form_is_taken_along_as_a_run_file(tab):
    tab.settings.labels = tab.plan.labels
    file, told = tab.settings.take_along(*form(tab, name="mine"))
    assert (file["name"], told) == ("mine.yaml", "")
    assert tab.settings.use_text(file["text"])[2:] == form(tab, name="mine")
    file, told = tab.settings.take_along(*form(tab, schedule__max_steps="many"))
    assert is_skip(file) and "Most steps" in told


def test_two_settings_are_compared(tab):
    panel = tab.settings
    panel.labels = tab.plan.labels
    run = tab.context.runs.create(RunConfig(name="<i>earlier</i>", adapter=None))
    drawn = panel.compare("form", f"run:{run.run_id}", *form(tab))
    assert "<code>name</code>" in drawn and "&lt;i&gt;earlier" in drawn
    assert drawn.count("<tr>") == 3
    assert "<code>adapter</code></th><td>on</td><td>off</td>" in drawn
    assert "same settings" in panel.compare("form", "form", *form(tab))
    assert panel.compare("form", None, *form(tab)) == ""
    assert "There is no run" in panel.compare("form", "run:gone", *form(tab))
    assert "Most steps" in panel.compare("form", "form", *form(tab, schedule__max_steps="x"))


def test_a_form_read_as_one_list_is_the_same_to_its_handlers():
    def told(before, *shown):
        return before, shown

    def telling(before, *shown):
        yield before, shown

    assert of_form(told)(1, [2, None, "x"]) == (1, (2, None, "x"))
    assert list(of_form(telling)(1, [2])) == [(1, (2,))]
    assert inspect.isgeneratorfunction(of_form(telling))
    assert not inspect.isgeneratorfunction(of_form(told))
