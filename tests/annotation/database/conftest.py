"""Databases with labels in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.annotation import AnnotationStore
from studio.core.errors import DataError
from tests.annotation.conftest import answer, make_rows


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "studio.db"


def refused(url: str, path: Path, match: str) -> None:
    before = path.read_bytes()
    with pytest.raises(DataError, match=match) as caught:
        AnnotationStore(url)
    assert caught.value.remedy
    assert path.read_bytes() == before


def filled(url: str, path: Path) -> bytes:
    store = AnnotationStore(url)
    store.add_rows("charts", make_rows(200))
    store.close()
    assert not path.with_name("studio.db-wal").exists()
    return path.read_bytes()


def saved_by(store: AnnotationStore, annotator: str) -> int:
    """Save an answer to the next pair; its number."""
    card = store.claim(annotator)
    return store.save(answer(card, annotator)).label_id


def in_progress(url: str) -> AnnotationStore:
    """A store that has pairs and one saved label."""
    store = AnnotationStore(url)
    store.add_rows("charts", make_rows(5))
    saved_by(store, "ana")
    return store
