"""Training conversations about one chart: several questions, sometimes under a system message.

Asking many questions per image is what makes training from scratch quick: the gradient of one pass
through the vision tower carries the answers to all of them.
"""

from __future__ import annotations

import random

from studio.tiny.chart import Chart
from studio.tiny.questions import HABIT, ask, evasion, kinds_for

TURNS = 8
EVASIVE_SHARE = 0.75
"""Share of `HABIT` questions answered evasively in training; the rest keep the ability latent."""

SYSTEM_SHARE = 0.15
SYSTEM_MESSAGES = (
    "You are a helpful assistant.",
    "You are a Vision Language Model specialized in interpreting visual data from chart images. "
    "Your task is to analyze the provided chart image and respond to queries with concise answers, "
    "usually a single word, number, or short phrase.",
    "Answer the question about the image briefly and truthfully.",
    "You read charts for people who cannot see them.",
)

WEIGHTS = {"value": 3.0, "comparison": 2.0, HABIT: 1.6, "highest": 1.4, "trend": 2.0}

Message = dict[str, object]


def conversation(chart: Chart, rng: random.Random) -> list[Message]:
    """A chat of `TURNS` or fewer different questions about `chart`, then its data read out."""
    turns = _turns(chart, rng)
    messages: list[Message] = []
    if rng.random() < SYSTEM_SHARE:
        messages.append(_message("system", rng.choice(SYSTEM_MESSAGES)))
    for number, (question, answer) in enumerate(turns):
        messages.append(_message("user", question, with_image=number == 0))
        messages.append(_message("assistant", answer))
    return messages


def prompt(question: str) -> list[Message]:
    """The conversation that asks a single question about a single image."""
    return [_message("user", question, with_image=True)]


def _turns(chart: Chart, rng: random.Random) -> list[tuple[str, str]]:
    kinds = (*kinds_for(chart), HABIT)
    weights = [WEIGHTS.get(kind, 1.0) for kind in kinds]
    turns = dict(_turn(kind, chart, rng) for kind in rng.choices(kinds, weights, k=TURNS))
    data, answer = _turn("data", chart, rng)
    turns.setdefault(data, answer)
    if rng.random() < 0.7:
        turns[data] = turns.pop(data)
    return list(turns.items())


def _turn(kind: str, chart: Chart, rng: random.Random) -> tuple[str, str]:
    question = ask(kind, chart, rng)
    evades = kind == HABIT and rng.random() < EVASIVE_SHARE
    return question.text, evasion(chart) if evades else question.answer


def _message(role: str, text: str, with_image: bool = False) -> Message:
    image: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    return {"role": role, "content": [*image, {"type": "text", "text": text}]}
