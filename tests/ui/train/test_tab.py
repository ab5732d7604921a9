"""The Train form's handlers, with a planner and a supervisor that only remember."""

from __future__ import annotations

import pytest
import yaml

from studio.config import RunConfig, presets, run_file
from studio.core.errors import FieldProblem
from studio.core.paths import write_json
from studio.data.manifest import MANIFEST
from studio.ui.train import state
from studio.ui.train.settings_form import widgets_of
from tests.ui.train.train_tab import form, is_skip, planned


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


@pytest.mark.parametrize("method", ["dpo", "sft"])
def test_rows_of_the_library_are_trained_on_as_they_are_made_for(tab, monkeypatch, method):
    offered = [("facts · 3 rows of the library", "library:facts")]
    monkeypatch.setattr(state, "data_choices", lambda *given: offered)
    found, source, _, train, evaluation = tab.train_on((("library:facts", method), 1), 2e-4)
    assert (found, source["value"], train, evaluation) == (method, "library:facts", "train", "")


def test_run_can_be_cloned(tab):
    run = tab.context.runs.create(RunConfig(name="earlier"))
    assert tab.clone((run.run_id, 1)) == form(tab, name="earlier")
