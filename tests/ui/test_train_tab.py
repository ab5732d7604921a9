"""The Train form's handlers, with a planner and a supervisor that only remember."""

import gradio as gr
import pytest
import yaml

from studio.config import RunConfig, files, presets
from studio.data.manifest import MANIFEST
from studio.errors import ConfigError, FieldProblem
from studio.paths import Workspace, write_json
from studio.runs.plan import Plan, TowerPlan
from studio.runs.store import RunStore
from studio.ui.context import StudioContext
from studio.ui.forms import widgets_of
from studio.ui.tabs.train import TrainTab

PLAN = Plan(
    trainable_parameters=163_840,
    total_parameters=1_918_976,
    towers=[TowerPlan("language", 28, 163_840, 935_040)],
    train_rows=400,
    evaluation_rows=0,
    steps=25,
    effective_batch=16,
    accumulation=1,
    tokens_median=71,
    tokens_max=80,
    device="cpu",
    dtype="float32",
    warnings=["<b>slow</b>"],
)


class FakePlanner:
    def __init__(self):
        self.asked = []
        self.problem = None

    def plan(self, config):
        self.asked.append(config)
        if self.problem:
            raise ConfigError([self.problem])
        return PLAN


class FakeSupervisor:
    def __init__(self):
        self.submitted = []

    def submit(self, config):
        self.submitted.append(config)
        return "run-1"


@pytest.fixture
def tab(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.ui.tabs.train.SETTLE_SECONDS", 0)
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


def test_effective_batch_is_told_at_once(tab):
    summary, problems, text, remembered = tab.check(*form(tab, batch__per_device=2, batch__total=8))
    assert "2 × 4 = 8" in summary
    assert problems == []
    assert files.parse(yaml.safe_load(text)).batch.total == 8
    assert remembered["batch.total"] == 8


def test_wrong_settings_are_named_and_kept(tab):
    _, problems, text, remembered = tab.check(*form(tab, schedule__max_steps="many"))
    assert [problem["field"] for problem in problems] == ["schedule.max_steps"]
    assert is_skip(text)
    assert remembered["schedule.max_steps"] == "many"


def test_contradictions_are_found_without_a_model(tab):
    values = form(tab, model__quantization="nf4", adapter=False)
    _, problems, *_ = tab.check(*values)
    assert problems[0]["field"] == "adapter"
    assert tab.context.planner.asked == []


def test_plan_shows_trained_share_and_is_inert(tab):
    *_, (drawn, problems) = tab.work_out(True, *form(tab))
    assert "163,840 of 1.92 M (8.5 %)" in drawn
    assert "<b>slow</b>" not in drawn and "&lt;b&gt;slow" in drawn
    assert problems == []


def test_nothing_is_planned_before_the_tab_was_opened(tab):
    assert [is_skip(part) for part in next(tab.work_out(False, *form(tab)))] == [True, True]
    assert tab.context.planner.asked == []


def test_problems_of_the_planner_go_to_their_field(tab):
    tab.context.planner.problem = FieldProblem(
        "adapter.targets", "matches nothing.", "Use language."
    )
    *_, (drawn, problems) = tab.work_out(True, *form(tab))
    assert problems == [{"field": "adapter.targets", "text": "matches nothing. Use language."}]
    assert "Where it is applied" in drawn


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
    list(tab.work_out(True, *form(tab)))
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
    about, *values = tab.use_preset("embedded-dpo")
    assert "evasive" in about
    assert values == widgets_of(tab.specs, presets.load("embedded-dpo"))
    error, problems, *values = tab.use_text("name: a\nmodel: {idd: x}\n")
    assert problems[0]["field"] == "model.idd" and "model.id" in problems[0]["text"]
    assert error and all(is_skip(value) for value in values)
    text, error, problems, *values = tab.use_file(b"name: from file\n")
    assert (text, error, problems) == ("name: from file\n", "", [])
    assert values == form(tab, name="from file")


def test_export_can_be_trained_on_with_its_method(tab):
    folder = tab.context.workspace.exports / "mine-0123"
    folder.mkdir()
    write_json(
        folder / MANIFEST,
        {"format": "trl", "name": "mine", "method": "dpo", "rows": {"train": 40}, "created_at": 1},
    )
    method, source = tab.train_on(("exports/mine-0123", 1))
    assert (method, source["value"]) == ("dpo", "exports/mine-0123")
    assert ("mine · 40 rows", "exports/mine-0123") in source["choices"]


def test_run_can_be_cloned(tab):
    run = tab.context.runs.create(RunConfig(name="earlier"))
    assert tab.clone((run.run_id, 1)) == form(tab, name="earlier")
