"""Figures of a dataset and the log as HTML."""

from __future__ import annotations

import time
from dataclasses import replace

from studio.annotation import LabelEvent
from studio.annotation.quality.confidence_interval import MeasuredFigure, undefined
from studio.ui.team.views import figures
from tests.ui.team.team_tab import label


def test_figures_say_what_is_undefined_and_escape_names(context):
    assert "No answers yet" in figures(context.store.team.quality("charts", 0))
    label(context.store, "<img src=x>")
    shown = figures(context.store.team.quality("charts", 0), {}, 1_234)
    assert "<span>To decide</span><b>1,234</b>" in shown
    assert "ask more than one person per pair" in shown
    assert "<img" not in shown
    assert "<td>just now</td>" in shown
    assert "&lt;img" in shown


def test_of_many_people_the_lowest_agreement_comes_first(context):
    quality = context.store.team.quality("charts", 0)
    kappas = {(f"p{n}", "q"): MeasuredFigure(n / 20, count=10 + n) for n in reversed(range(20))}
    alike = {("r", "s"): undefined("alike", 10)}
    shown = figures(replace(quality, answers=1, kappas={**kappas, **alike}))
    first, rest = shown.split("<details>")
    assert first.index(">p0<") < first.index(">p14<")
    assert "6 more" in rest and ">p15<" in rest and rest.index(">p19<") < rest.index("alike")


def test_people_with_too_few_pairs_in_common_are_counted_not_listed(context):
    quality = context.store.team.quality("charts", 0)
    few = {
        ("one", "pair"): MeasuredFigure(-1.0, count=1),
        ("nine", "pairs"): MeasuredFigure(0.0, count=9),
    }
    enough = {("ten", "alike"): MeasuredFigure(0.5, count=10)}
    shown = figures(replace(quality, answers=1, kappas={**few, **enough}))
    assert "<td>ten</td>" in shown
    assert "<td>one</td>" not in shown and "<td>nine</td>" not in shown
    assert "fewer than 10 common pairs are not listed: 2 of them" in shown
    alone = figures(replace(quality, answers=1, kappas=few))
    assert "not listed: 2 of them" in alone and "<td>one</td>" not in alone


def test_figures_say_as_of_when_and_over_which_period_they_are(context):
    quality = context.store.team.quality("charts", 0)
    at = time.mktime((2026, 11, 30, 14, 2, 0, 0, 0, -1))
    first = time.mktime((2026, 11, 3, 9, 5, 0, 0, 0, -1))
    dated = replace(quality, answers=1, as_of=at, answered=(first, at - 60))
    shown = figures(dated)
    assert "As of 2026-11-30 14:02, answers from 2026-11-03 09:05 to 2026-11-30 14:01" in shown
    label(context.store, "ana")
    measured = context.store.team.quality("charts", 0)
    assert measured.answered[0] == measured.answered[1] <= measured.as_of


def test_gold_pairs_are_counted_as_done_and_said(context):
    first = min(candidate.id for candidate in context.store.item(1).candidates)
    context.store.team.set_gold("lea", 1, "choose", first)
    context.store.team.change_settings("lea", "charts", {"repeat_share": 0})
    while card := context.store.claim("ana", "charts"):
        chosen = card.left.candidate_id
        context.store.save(LabelEvent(f"key-{card.pair_id}", card.pair_id, "ana", "choose", chosen))
    shown = figures(context.store.team.quality("charts", 0))
    assert "<b>3 of 3</b>" in shown and "they need; 1 of them is gold and needs none<" in shown
    shown = figures(replace(context.store.team.quality("charts", 0), golden=0))
    assert "<small>have all the answers they need</small>" in shown


def test_short_work_gives_no_rate_and_no_empty_curve(context):
    for name in ("ana", "ben"):
        label(context.store, name)
    quality = context.store.team.quality("charts", 0)
    shown = figures(quality)
    assert "Answers, by hour: 2 answers within a minute (20" in shown
    assert "A curve appears once answers span more than one hour." in shown
    assert '<figure class="plot">' not in shown
    assert shown.count("<td>too short</td>") == 2
    assert "Per hour, too short: needs 10 minutes of work and 5 answers." in shown
    pace = replace(quality.pace, totals=((0, 0), (1, 1), (2, 2)))
    assert '<figure class="plot">' in figures(replace(quality, pace=pace))
