"""A store in a temporary folder, a clock that stands still, and rows to label."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.annotation import AnnotationStore, LabelEvent, PairCard
from studio.data.schema import Answer, Message, Part, Row

SHA = "ab" * 32


@dataclass
class Clock:
    """Seconds that pass only when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'studio.db'}"


@pytest.fixture
def store(url: str, clock: Clock):
    opened = AnnotationStore(url, clock=clock)
    yield opened
    opened.close()


def make_row(number: int, **changes) -> Row:
    """An item with one image and two candidates."""
    values = {
        "external_id": f"row-{number}",
        "images": (SHA,),
        "prompt": (Message("user", (Part("image"), Part("text", f"Which bar is {number}?"))),),
        "candidates": (Answer(f"the red {number}", "model-a"), Answer(f"blue {number}", "model-b")),
    }
    return Row(**(values | changes))


def make_rows(count: int) -> list[Row]:
    return [make_row(number) for number in range(count)]


KEYS = itertools.count()


def answer(card: PairCard, annotator: str, side: str = "left", **changes) -> LabelEvent:
    """The event of `annotator` choosing one side of `card`."""
    values = {
        "key": f"key-{next(KEYS)}",
        "pair_id": card.pair_id,
        "annotator": annotator,
        "kind": "choose",
        "winner_id": getattr(card, side).candidate_id,
        "expected_version": card.version,
        "elapsed_ms": 1500,
    }
    if changes.get("kind", "choose") != "choose":
        values["winner_id"] = None
    return LabelEvent(**(values | changes))
