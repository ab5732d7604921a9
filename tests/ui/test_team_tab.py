"""The lead's tab: figures, settings, guidelines; nothing of it for annotators."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from studio.annotation import AnnotationStore, LabelEvent
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.tabs.team import FIELDS, Actions
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


def test_figures_say_what_is_undefined_and_escape_names(context):
    assert "No answers yet" in figures(context.store.team.quality("charts", 0))
    label(context.store, "<img src=x>")
    shown = figures(context.store.team.quality("charts", 0))
    assert "ask more than one person per pair" in shown
    assert "<img" not in shown
    assert "&lt;img" in shown


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
