"""The lead's tab: figures, settings, guidelines; nothing of it for annotators."""

from __future__ import annotations

from html import unescape
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from studio.ui.data.page_address import state_of
from studio.ui.team.project_form import Drafts, Filled
from studio.ui.team.tab import FIELDS, NUMBERS, TeamActions, _project_form
from tests.ui.team.team_tab import REQUEST, label, opened

VALUES = {
    "overlap": 2, "skip_limit": 3, "qualification": 0, "repeat_share": 0.05, "gold_share": 0.1,
    "qualification_pass": 0.8, "gold_feedback": True, "markdown": False,
    "show_authors": True, "aspects": "Faithful, ",
}  # fmt: skip


def save(context, dataset="charts", **changes) -> tuple:
    """The message, what the form was filled with after it, and the drafts."""
    _, _, (_, _, filled), _, _ = opened(context, dataset)
    fields = [(VALUES | changes)[name] for name in FIELDS]
    return TeamActions(context).save(REQUEST, dataset, Drafts(), filled, "# Look", *fields)


def test_what_the_form_saves_it_shows_again(context):
    message, filled, _ = save(context)
    assert "Saved" in message
    assert Filled.read(filled).seen == 1
    _, log, (fields, guidelines, filled), _, _ = opened(context)
    assert fields == [*[VALUES[name] for name in FIELDS[:-1]], "Faithful"]
    assert (guidelines, Filled.read(filled).seen) == ("# Look", 1)
    assert "settings" in log


def test_rows_flagged_in_the_library_are_pointed_to(context):
    actions, store = TeamActions(context), context.store
    assert actions.flagged("charts", REQUEST) == "" == actions.flagged(None, REQUEST)
    store.flag(store.ids()[:1])
    told = actions.flagged("charts", REQUEST)
    address = unescape(told.split('href="')[1].split('"')[0])
    assert "1 row of this dataset is flagged" in told
    where = state_of(dict(parse_qsl(address.removeprefix("?")))).where
    assert (where.dataset, where.flagged) == ("charts", True)
    context.lead = False
    assert actions.flagged("charts", REQUEST) == ""


def test_the_log_of_one_person_and_its_length(context):
    for name in ("ana", "ben"):
        label(context.store, name)
    actions = TeamActions(context)
    assert ">ana<" in actions.log("charts", "", 200, REQUEST)
    assert ">ana<" not in actions.log("charts", " ben ", 200, REQUEST)
    assert actions.log("charts", "", 1, REQUEST).count("<td>charts</td>") == 1
    context.lead = False
    assert "Only a lead" in actions.log("charts", "", 200, REQUEST)


def test_a_number_that_is_not_whole_is_refused_and_not_rounded(context):
    page = gr.Blocks()
    with page:
        fields = _project_form()[0]
    for name in NUMBERS:
        field = fields[FIELDS.index(name)]
        typed = field.preprocess(2.7)
        message, _, _ = save(context, **{name: typed})
        label = name.replace("_", " ").capitalize()
        assert f"{label} must be a whole number." in message
        assert "must be a whole number" in save(context, **{name: None})[0]
    assert context.store.team.log() == []
    assert "2.7 is not a whole number" in TeamActions(context).log("charts", "", 2.7, REQUEST)
    assert "Saved" in save(context, overlap=fields[0].preprocess(3.0))[0]


@pytest.mark.parametrize("changes", [{"overlap": 0}, {"gold_share": 3}, {"aspects": "a, a"}])
def test_what_cannot_be_saved_is_said_and_nothing_is_changed(context, changes):
    message, filled, _ = save(context, **changes)
    assert 'role="alert"' in message
    assert filled == gr.skip()
    assert context.store.team.settings("charts").overlap == 1


def test_a_qualification_round_without_gold_pairs_is_told_about(context):
    message, *_ = save(context, qualification=2)
    assert "asks for 2 gold pairs and there are 0" in message
    first = min(candidate.id for candidate in context.store.item(1).candidates)
    context.store.team.set_gold("lea", 1, "choose", first)
    label(context.store, "ana")
    shown = opened(context)[0]
    assert "<th>Qualification</th>" in shown
    assert "<td>passed</td>" in shown or "<td>failed</td>" in shown


def test_only_leads_see_and_change(context):
    context.lead = False
    actions = TeamActions(context)
    assert actions.choices(None, None, REQUEST).choices == []
    shown, _, (_, guidelines, _), *_ = opened(context)
    assert "Only a lead" in shown and guidelines == gr.skip()
    assert "Only a lead" in save(context)[0]
    assert "Only a lead" in actions.clear("ana", REQUEST)
    assert context.store.team.log() == []


def test_nobody_known_cannot_be_let_on(context):
    assert "Nobody called" in TeamActions(context).clear("zoe", REQUEST)
    label(context.store, "ana")
    assert "ana may label" in TeamActions(context).clear("ana", REQUEST)
