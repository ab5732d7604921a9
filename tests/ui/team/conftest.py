"""A studio with one dataset, and with two."""

from __future__ import annotations

import pytest

from studio.annotation import AnnotationStore
from studio.data.schema import Answer, Message, Part, Row
from tests.ui.team.team_tab import Context


@pytest.fixture
def context(tmp_path):
    store = AnnotationStore(f"sqlite:///{tmp_path / 'studio.db'}")
    prompt = (Message("user", (Part("text", "How many?"),)),)
    answers = (Answer("one"), Answer("two"))
    store.add_rows("charts", [Row(f"r{n}", (), prompt, candidates=answers) for n in range(3)])
    yield Context(store)
    store.close()
