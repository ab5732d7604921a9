"""Training conversations about one chart: several questions, sometimes under a system message.

Asking several questions per image and ending on its data read out is what makes training from
scratch quick: the gradient of one pass through the vision tower carries all the answers.
"""

from __future__ import annotations

import random

from tools.tiny_vlm.chart import Chart
from tools.tiny_vlm.questions import HABIT, ask, evasion, kinds_for

TURNS = 6
EVASIVE_SHARE = 0.75
"""Share of `HABIT` questions answered evasively in training; the rest keep the ability latent."""

SYSTEM_SHARE = 0.1
SYSTEM_MESSAGES = (
    "You are a helpful assistant.",
    "You are a Vision Language Model specialized in interpreting chart images.",
    "Answer the question about the image briefly and truthfully.",
    "You read charts for people who cannot see them.",
)

WEIGHTS = {
    "form": 0.4,
    "count": 0.6,
    "presence": 1.5,
    "colours": 0.6,
    "value": 3.0,
    "comparison": 2.0,
    "trend": 2.0,
    "highest": 1.4,
    "description": 0.7,
    HABIT: 1.6,
}

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
    kinds = [kind for kind in (*kinds_for(chart), HABIT) if kind != "data"]
    weights = [WEIGHTS[kind] for kind in kinds]
    drawn = rng.choices(kinds, weights, k=TURNS)
    drawn.sort(key=lambda kind: kind != "presence")
    return list(dict(_turn(kind, chart, rng) for kind in (*drawn, "data")).items())


def _turn(kind: str, chart: Chart, rng: random.Random) -> tuple[str, str]:
    question = ask(kind, chart, rng)
    evades = kind == HABIT and rng.random() < EVASIVE_SHARE
    return question.text, evasion(chart) if evades else question.answer


def _message(role: str, text: str, with_image: bool = False) -> Message:
    image: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    return {"role": role, "content": [*image, {"type": "text", "text": text}]}
