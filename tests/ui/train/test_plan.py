"""The plan beside the form: made, kept, dropped, applied."""

from __future__ import annotations

import gradio as gr

from studio.config import presets
from studio.core.errors import FieldProblem
from studio.launch.planner import Loading
from studio.runs.run_plan import Plan
from studio.ui.train.settings_form import widgets_of
from studio.ui.train.state import preset_choices
from tests.ui.fake_planner import PLAN
from tests.ui.train.train_tab import form, is_skip, planned


def event(**data):
    return gr.EventData(None, data)


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


def test_suggestion_changes_its_settings_only(tab):
    put = tab.plan.apply(PLAN.to_json(), event(index="0"))
    changed = [spec.path for spec, value in zip(tab.specs, put, strict=True) if not is_skip(value)]
    assert changed == ["adapter"]
    for wrong in ("7", "-1", "x"):
        assert all(is_skip(value) for value in tab.plan.apply(PLAN.to_json(), event(index=wrong)))
    put = tab.plan.put({"adapter": {"rank": 4}, "dpo.losses": {"ipo": 1.0}})
    shown = {s.path: value for s, value in zip(tab.specs, put, strict=True) if not is_skip(value)}
    assert shown == {"adapter": True, "adapter.rank": 4, "dpo.losses": "ipo: 1"}


def test_starter_is_planned_for_its_gpu_where_there_is_none(tab):
    labels = {name: label for label, name in preset_choices()}
    assert labels["gpu-08gb"] == "My GPU has 8 GB"
    assert labels["embedded-sft"] == "embedded-sft"
    planned(tab)
    _, target, *values = tab.use_preset("gpu-08gb")
    assert target == "8" and values == widgets_of(tab.specs, presets.load("gpu-08gb"))
    tab.plan.device = "cuda"
    assert tab.use_preset("gpu-08gb")[1] == "here"
