"""A store in a temporary folder, a clock that stands still, and rows to label."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.annotation import AnnotationStore, LabelEvent, PairCard
from studio.data.schema import Answer, Message, Part, Row
from tests.annotation.postgres import Postgres, find_binaries

SHA = "ab" * 32

OF_SQLITE = {"test_backup", "test_connection"}  # about its files

BINARIES = find_binaries()


@dataclass
class Clock:
    """Seconds that pass only when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Everything about the store runs on SQLite and, where there is one, on PostgreSQL."""
    module = metafunc.module.__name__.rpartition(".")[2]
    of_store = {"store", "url"} <= set(metafunc.fixturenames)
    if module not in OF_SQLITE and of_store:
        kinds = ["sqlite", "postgresql"] if BINARIES else ["sqlite"]
        metafunc.parametrize("url", kinds, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Not below pytest's own folder, which nobody else may enter.
    folder = Path(tempfile.mkdtemp(prefix="studio-pg-"))
    server = Postgres(BINARIES, folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if getattr(request, "param", "sqlite") == "postgresql":
        return request.getfixturevalue("postgres").fresh()
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


def label_all(store, name: str, side: str = "left", **changes) -> int:
    count = 0
    while card := store.claim(name):
        store.save(answer(card, name, side, **changes))
        count += 1
    return count


def by_first(card) -> str:
    """The side on which the pair's first candidate is."""
    return "left" if card.left.candidate_id < card.right.candidate_id else "right"
