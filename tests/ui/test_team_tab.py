"""The lead's tab: figures, settings, guidelines; nothing of it for annotators."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pytest

from studio.annotation import AnnotationStore, LabelEvent
from studio.annotation.figures import Figure, undefined
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.tabs.team import FIELDS, Actions
from studio.ui.team_state import FormState
from studio.ui.team_views import figures

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


def save(context, **changes) -> tuple:
    fields = [(VALUES | changes)[name] for name in FIELDS]
    return Actions(context).save(REQUEST, "charts", "# Look", 0, *fields)


def test_what_the_form_saves_it_shows_again(context):
    message, version = save(context)
    assert "Saved" in message
    assert version == 1
    _, log, *fields, guidelines, seen, _ = Actions(context).show("charts", REQUEST)
    assert fields == [*[VALUES[name] for name in FIELDS[:-1]], "Faithful"]
    assert (guidelines, seen) == ("# Look", 1)
    assert "settings" in log


def test_what_is_typed_and_not_saved_is_there_again(context):
    context.store.add_rows("more", [Row("r", (), (Message("user", (Part("text", "?"),)),))])
    actions = Actions(context)

    def opened(state, dataset, guidelines, seen, *fields):
        _, _, *values, guidelines, seen, said, state = actions.open(
            REQUEST, dataset, state, guidelines, seen, *fields
        )
        return state, [guidelines, seen, *values], said

    state, form, said = opened(FormState(), "charts", None, 0, *[None] * len(FIELDS))
    assert said == "" and opened(state, "charts", *form)[2] == ""
    form[0] = "# Half a sentence"
    state, elsewhere, said = opened(state, "more", *form)
    assert (elsewhere[0], said) == ("", "")
    state, form, said = opened(state, "charts", *elsewhere)
    assert form[0] == "# Half a sentence" and "Not saved yet" in said
    assert "Not saved yet" in opened(state, "charts", *form)[2]
    refused, _, state = actions.keep(REQUEST, "charts", state, form[0], 0, 0, *form[3:])
    assert 'role="alert"' in refused and "Not saved yet" in opened(state, "charts", *form)[2]
    message, form[1], state = actions.keep(REQUEST, "charts", state, *form)
    assert "Saved" in message and form[1] == 1
    assert opened(state, "charts", *form)[2] == ""


def test_the_log_of_one_person_and_its_length(context):
    for name in ("ana", "ben"):
        label(context.store, name)
    actions = Actions(context)
    assert ">ana<" in actions.log("charts", "", 200, REQUEST)
    assert ">ana<" not in actions.log("charts", " ben ", 200, REQUEST)
    assert actions.log("charts", "", 1, REQUEST).count("<td>charts</td>") == 1
    context.lead = False
    assert "Only a lead" in actions.log("charts", "", 200, REQUEST)


@pytest.mark.parametrize("changes", [{"overlap": 0}, {"gold_share": 3}, {"aspects": "a, a"}])
def test_what_cannot_be_saved_is_said_and_nothing_is_changed(context, changes):
    message, version = save(context, **changes)
    assert 'role="alert"' in message
    assert version == 0
    assert context.store.team.settings("charts").overlap == 1


def test_stale_guidelines_are_a_conflict_and_the_text_stays(context):
    context.store.team.write_guidelines("eve", "charts", "hers", 0)
    message, version = save(context)
    assert "written meanwhile" in message
    assert version == 0
    assert context.store.team.guidelines("charts").text == "hers"


def test_a_qualification_round_without_gold_pairs_is_told_about(context):
    message, _ = save(context, qualification=2)
    assert "asks for 2 gold pairs and there are 0" in message
    first = min(candidate.id for candidate in context.store.item(1).candidates)
    context.store.team.set_gold("lea", 1, "choose", first)
    label(context.store, "ana")
    shown, *_ = Actions(context).show("charts", REQUEST)
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
    kappas = {(f"p{n}", "q"): Figure(n / 20, count=10 + n) for n in reversed(range(20))}
    alike = {("r", "s"): undefined("alike", 10)}
    shown = figures(replace(quality, answers=1, kappas={**kappas, **alike}))
    first, rest = shown.split("<details>")
    assert first.index(">p0<") < first.index(">p14<")
    assert "6 more" in rest and ">p15<" in rest and rest.index(">p19<") < rest.index("alike")


def test_people_with_too_few_pairs_in_common_are_counted_not_listed(context):
    quality = context.store.team.quality("charts", 0)
    few = {("one", "pair"): Figure(-1.0, count=1), ("nine", "pairs"): Figure(0.0, count=9)}
    enough = {("ten", "alike"): Figure(0.5, count=10)}
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
    for _ in range(3):
        label(context.store, "ana") if context.store.claim("ana", "charts") else None
    shown = figures(context.store.team.quality("charts", 0))
    assert "<b>3 of 3</b>" in shown and "1 of them is gold, which need none" in shown
    assert "gold" not in figures(replace(context.store.team.quality("charts", 0), golden=0))


def test_only_leads_see_and_change(context):
    context.lead = False
    actions = Actions(context)
    assert actions.choices(None, REQUEST).choices == []
    assert "Only a lead" in actions.show("charts", REQUEST)[0]
    assert "Only a lead" in save(context)[0]
    assert "Only a lead" in actions.clear("ana", REQUEST)
    assert context.store.team.log() == []


def test_nobody_known_cannot_be_let_on(context):
    assert "Nobody called" in Actions(context).clear("zoe", REQUEST)
    label(context.store, "ana")
    assert "ana may label" in Actions(context).clear("ana", REQUEST)


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
