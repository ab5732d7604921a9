"""Runs beside each other: results, and settings that differ."""

from __future__ import annotations

from studio.config import RunConfig
from studio.core.paths import write_json
from studio.runs import held_out_result
from studio.runs.checkpoints import MARKER
from studio.runs.event_log import EventLog
from studio.runs.held_out_result import HeldOutResult
from tests.ui.runs.runs_tab import view


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


def test_runs_of_one_name_are_told_apart_by_their_time(tab, run):
    for name in ("same", "same", "other"):
        tab.context.runs.create(RunConfig(name=name))
    labels = [label for label, _ in view(tab.show(run.run_id))["compare"]["choices"]]
    assert sorted(labels) == ["other", "same · just now", "same · just now"]


def test_what_runs_come_to_on_held_out_rows_stands_side_by_side(tab, run):
    other = tab.context.runs.create(RunConfig(name="other"))
    write_json(other.paths.adapter / MARKER, {"step": 4})
    figure = {"value": 0.98, "low": 0.95, "high": 0.99}
    found = HeldOutResult("measured", step=4, metrics={"exact_match": figure, "of mine": figure})
    held_out_result.write(other.paths, found)
    shown = view(tab.show(run.run_id, [other.run_id], 0.0, False))["curves"]
    assert "Held-out rows: Exact match</th><td>–</td><td>98 % (95 % to 99 %)</td>" in shown
