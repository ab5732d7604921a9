"""The Runs tab with a supervisor that only notes what it is asked, and how its answers are read."""

from __future__ import annotations

import json
import re

import gradio as gr

from studio.core.errors import ConflictError
from studio.ui.runs.tab import ACTIONS, SHOWN

NAMES = ("chosen", *SHOWN)


BUTTONS = tuple(name for name, *_ in ACTIONS)


class FakeSupervisor:
    def __init__(self):
        self.calls = []

    def stop(self, run_id, now=False):
        self.calls.append(("stop", run_id, now))

    def resume(self, run_id, step=None):
        if step is None:
            raise ConflictError("<b>is running</b>")
        self.calls.append(("resume", run_id, step))

    def save_now(self, run_id):
        self.calls.append(("save_now", run_id))

    def push(self, run_id):
        self.calls.append(("push", run_id))

    def extend(self, run_id, epochs):
        self.calls.append(("extend", run_id, epochs))

    def use_checkpoint(self, run_id, step):
        self.calls.append(("use", run_id, step))

    def move(self, run_id, by):
        self.calls.append(("move", run_id, by))

    def pause(self, paused):
        self.calls.append(("pause", paused))


def view(values):
    return dict(zip((*NAMES, *BUTTONS), values, strict=True))


def visible(shown):
    return {name for name in BUTTONS if shown[name]["visible"]}


def seen(*answers):
    """What a page carries that was painted with these answers, one after the other."""
    words = {}
    for answer in answers:
        drawn = "".join(value for value in view(answer).values() if isinstance(value, str))
        words |= dict(re.findall(r'data-part="([^"]*)" data-shown="([^"]*)"', drawn))
    return json.dumps(words)


def changed(answer):
    return {name for name, value in view(answer).items() if value != gr.skip()}
