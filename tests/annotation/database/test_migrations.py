"""A database of the first version is brought up to date with everything in it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from studio.annotation import AnnotationStore, ItemFilter, LabelEvent
from studio.annotation.database import connection as module
from studio.core.errors import NotFoundError
from tests.annotation.conftest import make_row


def as_of(revision: str, path: Path, monkeypatch) -> None:
    """An empty database as `revision` left it."""
    migrate = module.migrate
    monkeypatch.setattr(module, "migrate", lambda *given: migrate(*given, revision=revision))
    module._create_if_absent(path)
    monkeypatch.undo()


def first_version(path: Path, monkeypatch) -> None:
    """A database as revision 0001 left it, with one item."""
    as_of("0001", path, monkeypatch)
    prompt = [{"role": "user", "parts": [{"type": "text", "text": "Which bar is tallest?"}]}]
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO datasets VALUES (1, 'old', 1, 0)")
        values = (1, 1, "a", json.dumps(prompt), "Which bar is tallest?", "[]", "f", "{}", 0)
        connection.execute(f"INSERT INTO items VALUES ({', '.join('?' * 9)})", values)
        for number, text in ((1, "the purple café"), (2, "no")):
            connection.execute(
                "INSERT INTO candidates VALUES (?, 1, ?, ?, '', ?, NULL, NULL, 0, 0)",
                (number, text, str(number), len(text)),
            )
        connection.execute("INSERT INTO pairs VALUES (1, 1, 1, 1, 2, NULL, 0, 1, 0)")
    connection.close()


def test_rows_of_the_first_version_are_there_and_searchable(tmp_path, url, monkeypatch):
    first_version(tmp_path / "studio.db", monkeypatch)
    store = AnnotationStore(url)
    assert store.count(ItemFilter(search="tallest cafe", dataset="old")) == 1
    assert store.count(ItemFilter(length=(15, 15))) == 1
    assert store.claim("ana").pair_id == 1
    store.close()


def test_what_was_handed_out_before_may_still_be_answered(tmp_path, url, monkeypatch):
    first_version(tmp_path / "studio.db", monkeypatch)
    with sqlite3.connect(tmp_path / "studio.db") as connection:
        for number, name in enumerate(("ana", "ben", "cem"), 1):
            connection.execute("INSERT INTO annotators VALUES (?, ?, 0)", (number, name))
        connection.execute("INSERT INTO leases VALUES (1, 1, 5.0)")
        values = "1, 'key-of-ben', 1, 2, 1, 'choose', 1, '', '', '', 900, 1, NULL, 0"
        connection.execute(f"INSERT INTO labels VALUES ({values})")
        connection.execute("INSERT INTO current_labels VALUES (1, 2, 1, 1)")
    connection.close()
    store = AnnotationStore(url)
    for name, version in (("ana", 0), ("ben", 1)):
        event = LabelEvent(f"waiting-of-{name}", 1, name, "tie", expected_version=version)
        assert store.saving(event, None, 0).result().saved.kind == "tie"
    with pytest.raises(NotFoundError, match="not given to you"):
        store.saving(LabelEvent("waiting-of-cem", 1, "cem", "tie"), None, 0).result()
    card = store.card(1, "ben")
    assert store.look(card.handle, "ben").current.kind == "tie"
    store.close()


def test_a_dataset_of_the_version_before_has_no_columns_kept(tmp_path, url, monkeypatch):
    as_of("0005", tmp_path / "studio.db", monkeypatch)
    with sqlite3.connect(tmp_path / "studio.db") as connection:
        connection.execute("INSERT INTO datasets VALUES (1, 'old', 2, 0, 0, NULL)")
    connection.close()
    store = AnnotationStore(url)
    assert not store.saved_reading("old") and store.team.settings("old").overlap == 2
    with store.importing("old", reading={"columns": {"question": "q"}}) as batch:
        batch.add_rows([make_row(1)])
    assert store.saved_reading("old").columns == {"question": "q"}
    store.close()


def test_accents_are_found_in_a_database_that_kept_them(tmp_path, url, monkeypatch):
    as_of("0003", tmp_path / "studio.db", monkeypatch)
    with sqlite3.connect(tmp_path / "studio.db") as connection:
        connection.execute("INSERT INTO datasets VALUES (1, 'old', 1, 0, 0, NULL)")
        connection.execute(
            "INSERT INTO items (id, dataset_id, external_id, prompt, question, images, "
            "fingerprint, meta, created_at, search) "
            "VALUES (1, 1, 'a', '[]', '', '[]', 'f', '{}', 0, 'STRASSE, Straße, Cafe\u0301')"
        )
    connection.close()
    store = AnnotationStore(url)
    for words in ("strasse", "straße", "CAFÉ", "cafe"):
        assert store.count(ItemFilter(search=words)) == 1, words
    store.close()
