"""A run is accepted or rolled back from its page, and what was decided is shown."""

from __future__ import annotations

import pytest

from studio.core.paths import write_json
from studio.runs.checkpoints import MARKER
from studio.runs.decisions import decisions, latest
from studio.runs.status import update_status
from studio.ui.train.tab import next_round
from tests.ui.runs.runs_tab import view


@pytest.fixture
def panel(tab, monkeypatch):
    """The tab with the panel that its layout makes, and what it said to the person."""
    from studio.ui.runs import decision_card

    said = []
    monkeypatch.setattr(decision_card, "say", said.append)
    tab.decision = decision_card.DecisionPanel(tab.context)
    return said


def ended(run):
    update_status(run.paths, state="finished")
    write_json(run.paths.adapter / MARKER, {"kind": "adapter", "step": 3})


def parts(answer):
    *shown, reason = answer
    return view(shown), reason


def test_there_is_nothing_to_decide_about_a_run_that_waits(tab, run):
    assert "Decide" not in view(tab.show(run.run_id))["decision"]


def test_a_reason_stays_in_its_field_until_it_is_kept(tab, run, panel):
    shown, reason = parts(tab.accept(None, run.run_id, "because"))
    assert reason != "" and "is queued" in str(panel[0])
    ended(run)
    shown, reason = parts(tab.accept(None, run.run_id, "  "))
    assert reason != "" and "Why?" in str(panel[1]) and decisions(tab.context.workspace) == []
    shown, reason = parts(tab.accept(None, run.run_id, "x" * 2_001))
    assert reason != "" and "2,001 characters" in str(panel[2])
    shown, reason = parts(tab.accept(None, run.run_id, "<b>best</b>"))
    assert reason == "" and "Accepted" in shown["head"]
    assert "&lt;b&gt;best&lt;/b&gt;" in shown["decision"] and "<b>best" not in shown["decision"]
    assert "starts from this run" in shown["decision"]


def test_a_second_page_that_decides_alike_changes_nothing(tab, run, panel):
    ended(run)
    tab.roll_back(None, run.run_id, "worse")
    shown, reason = parts(tab.roll_back(None, run.run_id, "worse too"))
    assert reason != "" and "already" in str(panel[0])
    assert latest(tab.context.workspace, run.run_id).reason == "worse"
    assert "Rolled back" in shown["head"]


def test_an_accepted_run_stays_when_its_deletion_is_clicked(tab, run, panel, monkeypatch):
    told = []
    monkeypatch.setattr("studio.ui.runs.tab.say", told.append)
    ended(run)
    tab.accept(None, run.run_id, "best")
    tab.delete(run.run_id)
    assert "was accepted" in str(told[0]) and run.paths.config.is_file()


def test_the_next_round_goes_on_from_the_run(run):
    ended(run)
    config = next_round(run)
    assert config.adapter.continue_from == run.run_id
    assert config.name == f"{run.config.name} 2" and config.data == run.config.data
