"""The Train tab with a planner that answers at once, and how its form is filled."""

from __future__ import annotations

import gradio as gr

from studio.config import RunConfig
from studio.ui.train.settings_form import widgets_of


class FakeSupervisor:
    def __init__(self):
        self.submitted = []

    def submit(self, config):
        self.submitted.append(config)
        return "run-1"


def form(tab, config=None, **changes):
    values = widgets_of(tab.specs, config or RunConfig())
    paths = [spec.path for spec in tab.specs]
    for path, value in changes.items():
        values[paths.index(path.replace("__", "."))] = value
    return values


def is_skip(value):
    return value == gr.skip()


def planned(tab, *, target="here", opened=True, seen=None, shown=None):
    """The answers of one look at the plan: line, trouble, plan, what is kept, errors."""
    return list(tab.plan.work_out(None, opened, target, seen, *(shown or form(tab))))
