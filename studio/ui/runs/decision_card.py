"""Accept a run or roll it back: what is known of it, what was decided, and how it came to be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import StudioError
from studio.launch.decision_card import DecisionCard, decide_about, decision_card
from studio.launch.lineage import LineageStep, lineage
from studio.runs.decisions import Decision, Verdict, latest
from studio.runs.run_names import without_times
from studio.runs.status import ENDED
from studio.ui.runs.state import RunSummary
from studio.ui.shared.html import say

KINDS = {
    "model": "Base",
    "data": "Data",
    "export": "Export",
    "run": "Run",
    "evaluation": "Evaluation",
    "match": "Blind match",
    "decision": "Decision",
    "next": "Next",
}
ACCEPTED, ROLLED_BACK = "Accepted", "Rolled back"


@dataclass
class DecisionPanel:
    """The fields and buttons of a decision; `card` is drawn with the rest of the run."""

    context: StudioContext
    buttons: dict[str, Any] = field(default_factory=dict)

    def layout(self) -> gr.HTML:
        """Draw it below the curves; the page hides it while a run goes on."""
        with gr.Column(elem_id="run-decide"):
            card = gr.HTML(elem_id="run-decision", min_height=0)
            with gr.Row(elem_classes="decide"):
                self.reason = gr.Textbox(
                    label="Why",
                    placeholder="What it does better or worse, in a few words",
                    max_lines=3,
                    elem_id="run-reason",
                    scale=3,
                    min_width=220,
                )
                for name, title in (
                    ("accept", "Accept"),
                    ("roll_back", "Roll back"),
                    ("next_round", "Train on from it"),
                ):
                    self.buttons[name] = gr.Button(
                        title, size="sm", min_width=0, elem_id=f"run-{name.replace('_', '-')}"
                    )
        return card

    def decide(
        self, run_id: str, verdict: Verdict, reason: str | None, request: gr.Request | None
    ) -> bool:
        """Write a decision down; whether it was. What is wrong is said, and nothing typed is lost."""
        who = self.context.user(request) if self.context.accounts else ""
        try:
            decide_about(
                self.context.workspace,
                run_id,
                verdict,
                reason or "",
                who,
                store=self.context.store,
            )
        except StudioError as error:
            known = latest(self.context.workspace, run_id)
            if (reason or "").strip() or known is None or known.verdict != verdict:
                say(error)  # else the second half of a double click: it is done
            return False
        return True


def card(summary: RunSummary, context: StudioContext) -> str:
    """Draw what is known of an ended run; nothing of one that goes on."""
    if summary.run.status.state not in ENDED:
        return ""
    try:
        known = decision_card(context.workspace, summary.run, context.store)
        steps = lineage(context.workspace, summary.run.run_id)
    except StudioError:  # deleted while it was drawn
        return ""
    figures = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(without_times(text))}</dd></div>"
        for name, text in known.figures
    )
    return (
        '<div class="run-decision"><h3>Better? Decide</h3>'
        f'<dl class="run-figures">{figures}</dl>{_missing(known)}{_standing(summary, known)}'
        f"{_lineage(steps)}</div>"
    )


def verdict_chip(decision: Decision | None) -> str:
    """Draw what was decided, for the head; nothing where nothing was."""
    if decision is None:
        return ""
    good = decision.verdict == "accepted"
    shape, word, tone = ("✓", ACCEPTED, "good") if good else ("↩", ROLLED_BACK, "")
    return f'<span class="chip {tone}"><span aria-hidden="true">{shape}</span>{word}</span>'


def _missing(known: DecisionCard) -> str:
    if not known.missing:
        return ""
    return f'<p class="quiet">Not known: {escape("; ".join(known.missing))}.</p>'


def _standing(summary: RunSummary, known: DecisionCard) -> str:
    """What was decided about this run, and which one the next round starts from."""
    parts = []
    if found := known.decision:
        by = f" by {found.who}" if found.who else ""
        parts.append(f"{found.verdict.capitalize()}{by}, {_when(found.at)}: {found.reason}")
    current = known.current
    if current is None:
        parts.append("No run on this base is accepted yet: the next round starts from the base.")
    elif current.run == summary.run.run_id:
        parts.append("The next round starts from this run.")
    else:
        parts.append(f"The next round starts from {current.name or current.run} for now.")
    return "".join(f"<p>{escape(part)}</p>" for part in parts)


def _lineage(steps: list[LineageStep]) -> str:
    items = "".join(
        f'<li class="{step.kind}{" gone" * step.gone}"><span class="kind">{KINDS[step.kind]}</span>'
        f"<b>{escape(step.name)}</b>{' (deleted)' * step.gone}"
        f"{_detail(step)}</li>"
        for step in steps
    )
    return (
        '<details class="lineage"><summary>How it came to be</summary>'
        f'<ol aria-label="Lineage">{items}</ol></details>'
    )


def _detail(step: LineageStep) -> str:
    said = " · ".join(filter(None, (step.detail, _when(step.at) if step.at else "")))
    return f'<span class="quiet">{escape(said)}</span>' if said else ""


def _when(at: float) -> str:
    return time.strftime("%d %b %Y %H:%M", time.localtime(at))
