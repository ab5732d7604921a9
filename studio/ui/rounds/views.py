"""How rounds look: the list, and of the chosen one its steps, cost, gain and what got worse."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

from studio.launch.round_state import STEPS, Guard, RoundView, Step
from studio.launch.round_store import Round
from studio.launch.rounds import advice
from studio.ui.shared.html import empty

NONE_YET = empty(
    "No rounds yet",
    "A round lets a model answer, people choose, and the model learn from it. Name rows above and "
    "press Start.",
)
NOTHING_CHOSEN = empty("Choose a round", "Its steps are shown here.")
GONE = empty("This round was deleted", "Choose another one in the list.")
SHAPES = {
    "open": ("○", "To do", ""),
    "queued": ("◔", "Queued", "active"),
    "running": ("▶", "Running", "active"),
    "stopped": ("◼", "Stopped", "bad"),
    "failed": ("✕", "Failed", "bad"),
    "waits for people": ("✎", "Waits for people", "active"),
    "done": ("✓", "Done", "good"),
}
DOES = {
    "candidates": "Write answers",
    "labels": "Go on",
    "export": "Export the labels",
    "training": "Train",
    "evaluation": "Evaluate",
    "match": "Make the blind match",
    "decision": "Decide",
}
"""What the button of the next step says."""
GO_ON = "Go on"
HOLDS = {True: ("✓", "good"), False: ("!", "bad"), None: ("?", "")}


def step_title(step: Step) -> str:
    """Return what the button of a step says."""
    return GO_ON if step.state in ("stopped", "failed") else DOES[step.name]


def round_list(rounds: Sequence[Round], chosen: str | None) -> str:
    """Draw a card for each round, newest first."""
    if not rounds:
        return NONE_YET
    cards = "".join(_card(one, one.round_id == chosen) for one in rounds)
    return f'<div class="run-list">{cards}</div>'


def _card(one: Round, chosen: bool) -> str:
    return (
        f'<button class="run-card" data-round="{escape(one.round_id)}" '
        f'aria-pressed="{str(chosen).lower()}"><span class="name">{escape(one.title)}</span>'
        f'<span class="facts">{escape(one.settings.data)}</span>'
        f'<span class="when">{_when(one.created)}</span></button>'
    )


def head(view: RoundView, dataset: str) -> str:
    """Draw what a round is, and how far each of its steps.

    Args:
        dataset: Whose pairs wait for people; empty where none do.
    """
    one = view.round
    begun = f"from run {one.start}" if one.start else "from the base"
    facts = [one.settings.model, begun, one.settings.data, _when(one.created), one.round_id]
    waits = f'<i data-imported="{escape(dataset)}" hidden></i>' if dataset else ""
    now = view.next
    steps = "".join(_step(step, now is not None and step.name == now.name) for step in view.steps)
    return (
        f'<div class="run-head"><h2>{escape(one.title)}</h2></div>'
        f'<div class="quiet">{escape(" · ".join(facts))}</div>{waits}'
        f'<ol class="round-steps" aria-label="Steps">{steps}</ol>'
    )


def _step(step: Step, now: bool) -> str:
    shape, word, tone = SHAPES[step.state]
    said = f'<span class="said-of">{escape(step.sentence)}</span>' if step.sentence else ""
    link = ""
    if step.name == "training" and step.ref:
        link = f'<button class="small" data-run="{escape(step.ref)}">Show the run</button>'
    current = ' aria-current="step"' if now else ""
    return (
        f'<li data-step="{step.name}" data-state="{step.state}"{current}>'
        f"<b>{STEPS[step.name]}</b>"
        f'<span class="chip {tone}"><span aria-hidden="true">{shape}</span>{word}</span>'
        f"{said}{link}</li>"
    )


def figures(view: RoundView) -> str:
    """Draw what a round gained, what may have got worse, and what it cost."""
    gains = "".join(f"<li>{escape(gain.sentence)}</li>" for gain in view.gains)
    guards = "".join(map(_guard, view.guards))
    said = advice(view)
    parts = [
        f'<h3>Gain</h3><ul class="round-gains">{gains}</ul>' if gains else "",
        f'<h3>What may get worse</h3><ul class="round-guards">{guards}</ul>' if guards else "",
        f'<p class="round-advice">{escape(said)}</p>' if said else "",
        f'<p class="quiet">Cost so far: {escape(view.cost.sentence)}.</p>',
    ]
    return f'<div class="round-figures">{"".join(parts)}</div>'


def _guard(guard: Guard) -> str:
    shape, tone = HOLDS[guard.holds]
    word = {True: "holds", False: "does not hold", None: "not known"}[guard.holds]
    return (
        f'<li><span class="chip {tone}"><span aria-hidden="true">{shape}</span>{word}</span> '
        f"{escape(guard.sentence)}</li>"
    )


def _when(at: float) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(at))
