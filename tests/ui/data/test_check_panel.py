"""The check panel's looks and handlers, with a real store, a kept report and no browser."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from studio.annotation import ItemFilter
from studio.config.model import ModelConfig
from studio.core.errors import InputError
from studio.preflight.client import Kept
from studio.preflight.report import (
    Finding,
)
from studio.ui.data import check_views as look
from studio.ui.data.check_panel import CheckLook, model_of
from tests.ui.data.fake_checker import clicked, drawn, report_of


def test_opening_shows_the_last_report_of_the_newest_dataset(panel):
    dataset, going, _, _, timer, state, report, strip, _ = panel.open(CheckLook(), None, None)
    assert dataset["value"] == "mine" and state == CheckLook("mine")
    assert going == "" and timer.active is False
    assert "1 error, 1 warning, 1 note" in report and "2 min ago" in report
    assert "has changed" not in report
    assert strip.count("data-image") == 2


def test_a_dataset_without_a_report_shows_none(panel):
    panel.checker.reports.clear()
    assert panel.choose(CheckLook(), "mine", None) == (CheckLook("mine"), look.NOT_YET, "", "")
    assert panel.choose(CheckLook("mine"), None, None) == (CheckLook(), "", "", "")


def test_show_hands_the_rows_to_the_tab(panel):
    ids = tuple(panel.context.store.ids()[:2])
    state, report, strip, _, shown = panel.act(
        CheckLook("mine"), clicked(action="show", finding="identical_answers"), None
    )
    assert shown[0] == ("mine", "Identical answers", ids)
    assert state.finding == "identical_answers" and 'aria-current="true"' in report
    assert "Identical answers" in strip


def test_a_finding_about_the_data_as_a_whole_shows_every_row(panel):
    panel.context.store.exclude(panel.context.store.ids()[3:])
    _, report, strip, _, shown = panel.act(
        CheckLook("mine"), clicked(action="show", finding="length_bias"), None
    )
    assert shown[0] == ("mine", "Length bias", tuple(panel.context.store.ids()[:3]))
    assert 'aria-current="true"' in report and strip.count("data-image") == 2


def test_exclude_is_a_mark_in_the_library_and_can_be_undone(panel):
    ids = panel.context.store.ids()
    excluded = ItemFilter(excluded=True)
    *_, shown = panel.act(
        CheckLook("mine"), clicked(action="exclude", finding="identical_answers"), None
    )
    assert shown[0] is None, "the tab draws the rows again"
    assert panel.context.store.ids(excluded) == ids[:2]
    report = drawn(panel)
    assert "✓ Excluded" in report and "Let them in again" in report
    assert "2 rows now" in report
    panel.act(CheckLook("mine"), clicked(action="include", finding="identical_answers"), None)
    assert panel.context.store.ids(excluded) == []
    assert "has changed" not in drawn(panel)
    logged = [
        (line.who, line.action, line.dataset, line.what) for line in panel.context.store.team.log()
    ]
    rows = "rows: 2, finding: identical_answers"
    assert logged == [("ana", "include rows", "mine", rows), ("ana", "exclude rows", "mine", rows)]


@pytest.mark.parametrize(
    "data", [{}, {"action": "delete", "finding": "identical_answers"}, {"action": "exclude"}]
)
def test_foreign_clicks_change_nothing(panel, data):
    assert panel.act(CheckLook("mine"), clicked(**data), None) == (gr.skip(),) * 5
    assert panel.context.store.count(ItemFilter(excluded=True)) == 0


def test_a_check_is_started_watched_and_stopped(panel):
    going, start, stop, timer = panel.start("mine", " embedded ", 1500.0, 96.0, None)
    assert panel.checker.asked == [("mine", "embedded", 1500, 96)]
    assert "Reading 30 of 60 rows · 3 s left" in going and timer.active
    assert not start["visible"] and stop["visible"]
    assert panel.poll(CheckLook("mine"), "mine", None)[4:] == (gr.skip(),) * 4
    panel.stop(None)
    assert panel.checker.asked[-1] == "stop"
    panel.checker.status = replace(panel.checker.status, state="done")
    going, _, _, timer, _, report, *_ = panel.poll(CheckLook("mine"), "mine", None)
    assert going == "" and not timer.active and "1 error" in report


@pytest.mark.parametrize(
    ("dataset", "model", "edge"),
    [(None, "embedded", 0), ("mine", "  ", 0), ("mine", "embedded", 7)],
)
def test_what_cannot_be_checked_is_said_and_nothing_starts(panel, dataset, model, edge):
    panel.start(dataset, model, None, edge, None)
    assert panel.checker.asked == []


def test_annotators_see_nothing(panel):
    panel.context.lead = False
    asked = SimpleNamespace(username="ana")
    for call in (
        lambda: panel.open(CheckLook(), None, asked),
        lambda: panel.choose(CheckLook(), "mine", asked),
        lambda: panel.act(CheckLook("mine"), clicked(action="show", finding="x"), asked),
        lambda: panel.show_image(CheckLook("mine"), "embedded", None, clicked(image="0"), asked),
        lambda: panel.stop(asked),
        lambda: panel.poll(CheckLook(), "mine", asked),
    ):
        with pytest.raises(InputError, match="Only leads"):
            call()


def test_an_empty_model_is_refused():
    with pytest.raises(InputError, match="No model"):
        model_of("   ")
    with pytest.raises(InputError, match="longest edge of 9,000"):
        model_of("embedded", 9000)
    assert model_of("embedded", 0) == ModelConfig()


def test_a_finding_about_the_model_excludes_no_rows():
    about = [Finding("no_end_token", "warning", [], "No end.", "Put one.")]
    report = replace(report_of([1, 2]), findings=about)
    shown = look.report(Kept(report, time.time(), ModelConfig()), look.Exclusions({}), "", 2)
    assert "No end." in shown and "data-action" not in shown and "Exclude" not in shown
