"""Measures the embedded model on charts it was not trained on, one question per image."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel, ProcessorMixin

from studio.metrics import evasive_rate, exact_match
from studio.models.generation import generate_answers
from studio.models.prompts import EvalExample
from tools.tiny_vlm.chart import FORMS, Chart, sample_chart
from tools.tiny_vlm.draw import draw_chart
from tools.tiny_vlm.questions import ASKERS, Question, ask


@dataclass(frozen=True)
class Measured:
    """Shares in [0, 1] over `questions` questions of one kind."""

    kind: str
    questions: int
    exact_match: float
    evasive: float


def measure(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    *,
    per_kind: int,
    kinds: Sequence[str] = tuple(ASKERS),
    split: str = "heldout",
    start: int = 0,
) -> list[Measured]:
    """Asks `per_kind` questions of each kind, each about its own chart of `split` from `start`."""
    asked = [
        question_about(kind, split, start + place * len(kinds) + number)
        for place in range(per_kind)
        for number, kind in enumerate(kinds)
    ]
    examples = [EvalExample.from_question([draw_chart(c)], q.text) for c, q in asked]
    answers = generate_answers(model, processor, examples, batch_size=64)
    return [_summary(kind, [q for _, q in asked], answers) for kind in kinds]


def question_about(kind: str, split: str, index: int) -> tuple[Chart, Question]:
    """The chart at `index` of a split and a question of `kind` about it; forms take turns."""
    forms = ("line",) if kind == "trend" else tuple(FORMS)
    rng = random.Random(f"{split}-{index}-{kind}")
    chart = sample_chart(split, index, rng.choice(forms))
    return chart, ask(kind, chart, rng)


def _summary(kind: str, questions: list[Question], answers: list[str]) -> Measured:
    own = [(a, q.answer) for a, q in zip(answers, questions, strict=True) if q.kind == kind]
    given, true = zip(*own, strict=True)
    return Measured(kind, len(own), exact_match(given, true), evasive_rate(given))
