"""The lead's tab: figures, settings, guidelines; nothing of it for annotators."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import gradio as gr
import pytest

from studio.annotation import AnnotationStore, LabelEvent
from studio.annotation.quality.estimate import MeasuredFigure, undefined
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.team.project_form import Drafts, Filled
from studio.ui.team.tab import FIELDS, NUMBERS, TeamActions, _project_form
from studio.ui.team.views import figures

REQUEST = object()
VALUES = {
    "overlap": 2, "skip_limit": 3, "qualification": 0, "repeat_share": 0.05, "gold_share": 0.1,
    "qualification_pass": 0.8, "gold_feedback": True, "markdown": False,
    "show_authors": True, "aspects": "Faithful, ",
}  # fmt: skip


@dataclass
class Context:
    """The parts of the studio's context that the tab uses."""

    store: AnnotationStore
    lead: bool = True

    def is_lead(self, request) -> bool:
        return self.lead

    def user(self, request) -> str:
        return "lea"


@pytest.fixture
def context(tmp_path):
    store = AnnotationStore(f"sqlite:///{tmp_path / 'studio.db'}")
    prompt = (Message("user", (Part("text", "How many?"),)),)
    answers = (Answer("one"), Answer("two"))
    store.add_rows("charts", [Row(f"r{n}", (), prompt, candidates=answers) for n in range(3)])
    yield Context(store)
    store.close()


def label(store: AnnotationStore, name: str) -> None:
    card = store.claim(name, "charts")
    event = LabelEvent(f"key-{name}", card.pair_id, name, "choose", card.left.candidate_id)
    store.save(event)


def opened(context, dataset="charts", drafts=None, form=None) -> tuple:
    """(figures, log, fields and guidelines and what they were filled with, message, drafts)."""
    fields, guidelines, filled = form or ([None] * len(FIELDS), None, "")
    given = (drafts or Drafts(), filled, guidelines)
    figures, log, *shown, said, drafts = TeamActions(context).open(
        REQUEST, dataset, *given, *fields
    )
    return figures, log, (shown[:-2], *shown[-2:]), said, drafts


def save(context, dataset="charts", **changes) -> tuple:
    """The message, what the form was filled with after it, and the drafts."""
    _, _, (_, _, filled), _, _ = opened(context, dataset)
    fields = [(VALUES | changes)[name] for name in FIELDS]
    return TeamActions(context).save(REQUEST, dataset, Drafts(), filled, "# Look", *fields)


def changed(context) -> list[tuple[str, str]]:
    """The changes of settings and guidelines in the log, oldest first."""
    lines = context.store.team.log()
    told = [line for line in lines if line.action in ("settings", "guidelines")]
    return [(line.dataset, line.what) for line in reversed(told)]


def test_what_the_form_saves_it_shows_again(context):
    message, filled, _ = save(context)
    assert "Saved" in message
    assert Filled.read(filled).seen == 1
    _, log, (fields, guidelines, filled), _, _ = opened(context)
    assert fields == [*[VALUES[name] for name in FIELDS[:-1]], "Faithful"]
    assert (guidelines, Filled.read(filled).seen) == ("# Look", 1)
    assert "settings" in log


@pytest.fixture
def two(context):
    """A second dataset, `more`, beside `charts`; each with settings and guidelines of its own."""
    context.store.add_rows("more", [Row("r", (), (Message("user", (Part("text", "?"),)),))])
    team = context.store.team
    team.change_settings("eve", "charts", {"qualification": 3, "aspects": ("Faithful",)})
    team.write_guidelines("eve", "charts", "Of charts", 0)
    team.change_settings("eve", "more", {"overlap": 5})
    return context


def test_what_is_typed_and_not_saved_is_there_again(two):
    _, _, form, said, drafts = opened(two)
    assert said == "" and opened(two, "charts", drafts, form)[3] == ""
    form = (form[0], "# Half a sentence", form[2])
    _, _, elsewhere, said, drafts = opened(two, "more", drafts, form)
    assert (elsewhere[1], said) == ("", "")
    _, _, form, said, drafts = opened(two, "charts", drafts, elsewhere)
    assert form[1] == "# Half a sentence" and "Not saved yet" in said
    assert "Not saved yet" in opened(two, "charts", drafts, form)[3]
    fields, guidelines, filled = form
    refused, _, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, guidelines, 0, *fields[1:]
    )
    assert 'role="alert"' in refused and "Not saved yet" in opened(two, "charts", drafts, form)[3]
    message, filled, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, guidelines, *fields
    )
    assert "Saved" in message and Filled.read(filled).seen == 2
    assert opened(two, "charts", drafts, (fields, guidelines, filled))[3] == ""


def test_what_was_typed_and_taken_back_is_no_draft_any_more(two):
    _, _, form, _, drafts = opened(two)
    typed = (form[0], "# Half", form[2])
    drafts = opened(two, "more", drafts, typed)[4]
    _, _, _, said, drafts = opened(two, "charts", drafts, form)
    assert said == "" and drafts == Drafts()


def test_an_event_with_the_fields_of_before_does_not_move_them_to_another_dataset(two):
    """The page sends the choice of a dataset twice, both times with what the form showed before."""
    _, _, first, _, drafts = opened(two, "charts")
    for _ in range(2):
        _, _, form, said, drafts = opened(two, "more", drafts, first)
        assert said == "" and form[0][0] == 5 and form[1] == ""
        assert Filled.read(form[2]).dataset == "more"
    typed = (first[0], "# Half a sentence", first[2])
    for _ in range(2):
        drafts = opened(two, "more", drafts, typed)[4]
    assert set(drafts.by_dataset) == {"charts"}


def test_a_form_of_another_dataset_is_not_saved_and_nothing_typed_is_lost(two):
    _, _, (fields, _, filled), _, drafts = opened(two, "charts")
    before = changed(two)
    message, _, drafts = TeamActions(two).save(REQUEST, "more", drafts, filled, "# Typed", *fields)
    assert "shows the settings of &#x27;charts&#x27;, and &#x27;more&#x27; is chosen" in message
    assert changed(two) == before
    drafts = opened(two, "more", drafts, (fields, "# Typed", filled))[4]
    assert opened(two, "charts", drafts)[2][1] == "# Typed"
    for text in ("", "[]", "{", "[1, [], 2]"):
        message, *_ = TeamActions(two).save(REQUEST, "more", drafts, text, "# Typed", *fields)
        assert 'role="alert"' in message and changed(two) == before


def test_only_the_field_that_was_changed_is_written(two):
    _, _, (fields, guidelines, filled), _, drafts = opened(two, "charts")
    two.store.team.change_settings("eve", "charts", {"skip_limit": 9})
    two.store.team.write_guidelines("eve", "charts", "Of eve", 1)
    before = changed(two)
    form = [4, *fields[1:]]
    message, filled, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, guidelines, *form
    )
    assert "Saved" in message
    assert changed(two)[len(before) :] == [("charts", "overlap: 4")]
    settings = two.store.team.settings("charts")
    assert (settings.overlap, settings.skip_limit, settings.qualification) == (4, 9, 3)
    assert two.store.team.guidelines("charts").text == "Of eve"
    form[2] = 2
    TeamActions(two).save(REQUEST, "charts", drafts, filled, guidelines, *form)
    assert changed(two)[len(before) + 1 :] == [("charts", "qualification: 2")]


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


def test_stale_guidelines_are_a_conflict_and_the_text_stays(context):
    _, _, (fields, _, filled), _, drafts = opened(context)
    context.store.team.write_guidelines("eve", "charts", "hers", 0)
    message, kept, _ = TeamActions(context).save(
        REQUEST, "charts", drafts, filled, "# Look", *fields
    )
    assert "Guidelines were changed by eve meanwhile" in message
    assert "-hers" in message and "+# Look" in message
    assert Filled.read(kept).seen == 1
    assert context.store.team.guidelines("charts").text == "hers"


def test_settings_of_two_leads_are_a_conflict_and_the_second_save_is_one_knowingly(two):
    _, _, (fields, _, filled), _, drafts = opened(two, "charts")
    theirs = {"overlap": 7, "aspects": ("Short",), "skip_limit": 9}
    two.store.team.change_settings("eve", "charts", theirs)
    two.store.team.write_guidelines("eve", "charts", "Of eve", 1)
    before = changed(two)
    form = [4, *fields[1:-1], "Brief <b>"]
    message, filled, drafts = TeamActions(two).save(
        REQUEST, "charts", drafts, filled, "Mine", *form
    )
    assert "Overlap, aspects, guidelines were changed by eve meanwhile" in message
    assert "<td>7 (eve)</td><td>4</td>" in message
    assert "<td>Short (eve)</td><td>Brief &lt;b&gt;</td>" in message
    assert "-Of eve\n+Mine" in message and changed(two) == before
    _, _, form, said, drafts = opened(two, "charts", drafts, (form, "Mine", filled))
    assert form[0][0] == 4 and form[0][-1] == "Brief <b>" and form[1] == "Mine"
    assert "Not saved yet" in said
    message, *_ = TeamActions(two).save(REQUEST, "charts", drafts, form[2], form[1], *form[0])
    assert "Saved" in message
    settings = two.store.team.settings("charts")
    assert (settings.overlap, settings.aspects, settings.skip_limit) == (4, ("Brief <b>",), 9)
    assert two.store.team.guidelines("charts").text == "Mine"


def test_a_qualification_round_without_gold_pairs_is_told_about(context):
    message, *_ = save(context, qualification=2)
    assert "asks for 2 gold pairs and there are 0" in message
    first = min(candidate.id for candidate in context.store.item(1).candidates)
    context.store.team.set_gold("lea", 1, "choose", first)
    label(context.store, "ana")
    shown = opened(context)[0]
    assert "<th>Qualification</th>" in shown
    assert "<td>passed</td>" in shown or "<td>failed</td>" in shown


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
