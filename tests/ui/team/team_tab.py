"""The Team tab as its page uses it."""

from __future__ import annotations

from dataclasses import dataclass

from studio.annotation import AnnotationStore, LabelEvent
from studio.ui.team.project_form import Drafts
from studio.ui.team.tab import FIELDS, TeamActions

REQUEST = object()


@dataclass
class Context:
    """The parts of the studio's context that the tab uses."""

    store: AnnotationStore
    lead: bool = True

    def is_lead(self, request) -> bool:
        return self.lead

    def user(self, request) -> str:
        return "lea"


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
