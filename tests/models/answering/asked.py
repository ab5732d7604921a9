"""Rows, and what a model answers to them one call at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.config.model import ModelConfig
from studio.data.image_store import ImageStore
from studio.data.schema import Message, Part, Row
from studio.evaluation.evaluation_examples import example_of
from studio.models.answering.answering import Answering
from studio.models.answering.settings import AnswerSettings, Contestant
from studio.models.load import Loaded
from studio.models.prompt_inputs import encode

BASE = [Contestant("base")]
QUESTIONS = ("What kind of chart is this?", "Read out the data.", "Describe the image.", "Which?")


def row(images: Sequence[str], *texts: str, name: str = "") -> Row:
    """A row whose question begins with its images, the texts between and behind them."""
    parts: list[Part] = []
    for place, text in enumerate(texts):
        parts += [Part("image")] if place < len(images) else []
        parts.append(Part("text", text))
    parts = [Part("image")] * (len(images) - len(texts)) + parts
    return Row(name or "".join(texts), tuple(images), (Message("user", tuple(parts)),))


def mixed(charts: Sequence[str]) -> list[Row]:
    """Several questions to an image, several images in a row, no image, other lengths."""
    found = [row([sha], q) for n, sha in enumerate(charts) for q in QUESTIONS[: n + 1]]
    found.insert(2, row([], "Hello?"))
    found.append(row(charts[:2], "First:", "Which one is higher?"))
    found.insert(0, row(charts[:2], "First one:", "Which?"))
    found.append(row(charts[1:3], "Which one is a pie chart?"))
    found.append(row([], "What is the highest value of all that you have ever seen?"))
    return found


@dataclass
class Asked:
    """A loaded model and the images that are asked about."""

    loaded: Loaded
    images: ImageStore
    config: ModelConfig = field(default_factory=ModelConfig)

    def answering(self, **settings: Any) -> Answering:
        """Return the way under test."""
        settings.setdefault("max_new_tokens", 24)
        return Answering(self.loaded, self.config, self.images, AnswerSettings(**settings))

    def singly(self, rows: Sequence[Row], most: int = 24, model: Any = None) -> list[str]:
        """Return the answers of single `generate` calls."""
        return [self.text(ids) for ids in self.ids(rows, most, model)]

    def ids(self, rows: Sequence[Row], most: int = 24, model: Any = None) -> list[list[int]]:
        """Return the tokens that single `generate` calls write."""
        model = model or self.loaded.model
        found = []
        for one in rows:
            example = example_of(one, self.images)
            inputs = encode(self.loaded.model, self.loaded.processor, [example], "left")
            made = model.generate(**inputs, do_sample=False, max_new_tokens=most)
            found.append(made[0, inputs["input_ids"].shape[1] :].tolist())
        return found

    def text(self, ids: Sequence[int]) -> str:
        """Return tokens as an answer."""
        return self.loaded.processor.tokenizer.decode(ids, skip_special_tokens=True).strip()


def texts(entries: Sequence[Any]) -> list[str]:
    """Return the texts of answers; none may have failed."""
    assert not [entry.reason for entry in entries if entry.reason]
    return [entry.text for entry in entries]
