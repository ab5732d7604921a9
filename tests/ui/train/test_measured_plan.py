"""What is found out by trying: a dry step, the largest batch."""

from __future__ import annotations

import gradio as gr
import pytest

from studio.core.errors import FieldProblem, RunFailedError
from studio.training.planning.dry_step import Measured, calibrated
from tests.ui.fake_planner import GIB, PLAN
from tests.ui.train.train_tab import form, is_skip, planned


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
