"""The buttons over a run: which there are, which fit its state, and which is the next step."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.runs.status import ENDED
from studio.ui.runs.state import RunSummary

ACTIONS = (
    ("chat", "Chat with it", "primary"),
    ("save", "Save now", "secondary"),
    ("stop", "Stop and save", "secondary"),
    ("stop_now", "Stop now", "secondary"),
    ("resume", "Resume", "secondary"),
    ("push", "Push again", "secondary"),
    ("clone", "Clone into Train", "secondary"),
    ("delete", "Delete", "secondary"),
)


def fitting(summary: RunSummary) -> set[str]:
    """Return the actions that the run's state allows, without what it was asked for already."""
    state, wish, run = summary.run.status.state, summary.wish, summary.run
    going, waiting = run.status.active, state == "queued"
    visible = {
        "chat": run.has_adapter,
        "save": state == "running"
        and wish == "none"
        and not summary.job,  # jobs save by themselves
        "stop": state in ("starting", "running") and wish in ("none", "save"),
        "stop_now": waiting or (going and wish != "stop_now"),
        "resume": state in ("stopped", "failed"),
        "push": bool(run.status.push_error)
        and state in ENDED
        and run.has_adapter
        and not summary.pushing,
        "clone": summary.card.readable,
        "delete": not (going or waiting),
    }
    return {name for name, shown in visible.items() if shown}


def next_step(summary: RunSummary) -> str:
    """The action that most likely comes next: a failed run whose settings are at fault is cloned."""
    status = summary.run.status
    if status.state == "failed":
        return "clone" if status.field else "resume"
    return "resume" if status.state == "stopped" else "chat"


def _titles(summary: RunSummary) -> dict[str, str]:
    """Buttons that do something else than they are called, for this run."""
    status = summary.run.status
    if status.state == "queued":
        return {"stop_now": "Take off the queue"}
    if status.state in ENDED and not summary.checkpoint:
        return {"resume": "Start again" if status.started else "Put back into the queue"}
    return {}


def updates(summary: RunSummary) -> list[Any]:
    """Return the buttons, in the order of `ACTIONS`, as they are for this run."""
    shown, main = fitting(summary), next_step(summary)
    found = []
    for name, title, _ in ACTIONS:
        title = _titles(summary).get(name, title)
        variant = "primary" if name == main else "secondary"
        found.append(gr.update(visible=name in shown, value=title, variant=variant))
    return found
