"""How a plan looks."""

from dataclasses import replace

from studio.config import RunConfig
from studio.core.errors import FieldProblem
from studio.ui.train import views
from studio.ui.train.memory_view import Measurement
from tests.ui.fake_planner import GIB, PLAN

LABELS = {"batch.total": "Batch <size>"}
PROBLEMS = [
    FieldProblem("batch.total", "It is <odd>.", "Change it."),
    FieldProblem("batch.total", "It is large.", ""),
    FieldProblem("", "It contradicts itself.", ""),
]


def test_what_the_planner_says_is_no_html_and_its_suggestions_can_be_applied():
    drawn = views.plan(PLAN)
    assert "&lt;b&gt;slow" in drawn and "<b>slow" not in drawn
    assert [f'data-apply="{place}"' in drawn for place in range(3)] == [True, True, False]
    assert "(8.5 %)" in drawn, "what trains, of all there is"
    assert "<dd>400</dd>" in drawn and "a dry step measures it" in drawn
    assert "&lt;odd&gt;" in views.failed(PROBLEMS, LABELS)
    assert "&lt;x&gt;" in views.state_line("<x>")


def test_time_is_told_once_it_is_measured():
    drawn = views.plan(PLAN, Measurement("key", "these settings", 3 * GIB, 2.0))
    assert "2 s, measured" in drawn and "about 50 s" in drawn
    rows = views.plan(replace(PLAN, evaluation_rows=1_000))
    assert "400 + 1,000 to evaluate" in rows


def test_what_was_measured_for_other_settings_is_said_only_without_a_measurement():
    stale = Measurement("key", "<rank 8>", None, None)
    assert "for &lt;rank 8&gt;: memory ran out" in views.plan(PLAN, None, stale)
    measured = replace(PLAN, peak_measured=GIB)
    assert "Measured before" not in views.plan(measured, None, stale)


def test_why_start_is_off_names_each_field_once():
    assert views.not_ready([], LABELS) == ""
    reason = views.not_ready(PROBLEMS, LABELS)
    assert "Start waits for: Batch &lt;size&gt;, This cannot be run." in reason


def test_what_follows_from_the_settings_alone():
    assert "marked in the form" in views.summary(None)
    config = RunConfig.model_validate({"batch": {"per_device": 2, "total": 8}})
    assert "2 × 4 = 8" in views.summary(config) and "4 passes a step" in views.summary(config)
