"""Events are appended once by their key, and never changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from studio.core.errors import ConflictError
from tests.annotation.conftest import answer


def test_the_same_key_again_gives_the_same_answer_and_one_label(store, card):
    event = answer(card, "ana")
    assert store.save(event) == store.save(event)
    assert store.progress("ana").labelled == 1
    assert len(store.history("ana")) == 1


def test_a_key_of_another_answer_is_refused(store, card):
    event = answer(card, "ana")
    store.save(event)
    with pytest.raises(ConflictError, match="key"):
        store.save(replace(event, winner_id=card.right.candidate_id))
    with pytest.raises(ConflictError, match="key"):
        store.save(replace(event, annotator="ben"))


def test_events_cannot_be_changed_or_deleted(store, url, card):
    store.save(answer(card, "ana"))
    engine = create_engine(url)
    for statement in ("DELETE FROM labels", "UPDATE labels SET kind = 'tie'"):
        with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()
