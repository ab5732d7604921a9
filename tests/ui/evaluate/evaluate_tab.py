"""The Evaluate tab without a page, and how its answers are read."""

from __future__ import annotations

import json
import re

import gradio as gr

from studio.ui.evaluate.tab import ACTIONS, SHOWN

BESIDE = ("judge_box", "judge_stop", "judge", "people", "with_seen", "subject", "metric")
NAMES = ("chosen", *SHOWN, *(name for name, *_ in ACTIONS), *BESIDE)


class Clicked:
    """What the page sends when something of an HTML component is clicked."""

    def __init__(self, **data):
        self._data = data


class FakeJobs:
    """The queue of evaluations; notes what it is asked."""

    def __init__(self):
        self.calls = []

    def start(self, wanted, *, columns=None, limit=None):
        self.calls.append((wanted, columns, limit))
        return "made"

    def stop(self, evaluation_id):
        self.calls.append(("stop", evaluation_id))

    def resume(self, evaluation_id):
        self.calls.append(("resume", evaluation_id))


class FakeSupervisor:
    def __init__(self):
        self.evaluations = FakeJobs()


def view(values):
    return dict(zip(NAMES, values, strict=True))


def visible(shown):
    return {name for name in NAMES[1 + len(SHOWN) :] if shown[name]["visible"]}


def seen(answer):
    """What a page carries that was painted with this answer."""
    drawn = "".join(value for value in answer if isinstance(value, str))
    return json.dumps(dict(re.findall(r'data-part="([^"]*)" data-shown="([^"]*)"', drawn)))


def changed(answer):
    return {name for name, value in view(answer).items() if value != gr.skip()}
