"""Damaged, foreign and newer databases are refused and left as they are; kills lose nothing."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from studio.annotation import AnnotationStore
from studio.annotation.database import MIGRATIONS, REVISION, Database
from studio.annotation.tables import Base
from studio.errors import BusyError, DataError

from .conftest import answer, make_rows
from .open_files import copy_of, deleted_files, open_and_close, read_elsewhere

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.parametrize("keep", [0, 50, 4096, 0.5, -1])
def test_a_truncated_database_is_refused(url, path, keep):
    content = filled(url, path)
    path.write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    refused(url, path, "truncated or damaged")


def test_garbage_is_refused(url, path):
    path.write_bytes(b"not a database at all" * 100)
    refused(url, path, "not a database of the studio")


def test_overwritten_pages_are_refused(url, path):
    content = bytearray(filled(url, path))
    content[4096:40960] = b"\xff" * (40960 - 4096)
    path.write_bytes(content)
    refused(url, path, "damaged")


def test_a_database_of_another_program_is_refused(url, path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE labels (id INTEGER)")
    connection.close()
    refused(url, path, "another program")


def test_a_newer_database_is_refused(url, path):
    filled(url, path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    refused(url, path, "newer version")


def test_a_journal_without_its_database_is_refused(url, path):
    path.with_name("studio.db-wal").write_bytes(b"journal")
    with pytest.raises(DataError, match="gone"):
        AnnotationStore(url)
    assert not path.exists()


@pytest.mark.parametrize("bad", ["nonsense", "sqlite://", "sqlite:///:memory:", "foo://x/y"])
def test_unusable_urls_are_refused(bad):
    with pytest.raises(DataError) as caught:
        AnnotationStore(bad)
    assert caught.value.field == "STUDIO_DATABASE_URL"


def test_migrations_build_exactly_the_tables(url):
    database = Database(url)
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, parents: "_fts" not in (name or "")},
        )
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == REVISION
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == REVISION


def test_commits_are_durable_by_setting(url):
    with Database(url).read() as connection:

        def pragma(name: str):
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") > 0


def test_another_process_holding_the_lock_is_waited_for_then_named(url, path, monkeypatch):
    monkeypatch.setattr("studio.annotation.database.BUSY_SECONDS", 0)
    store = AnnotationStore(url)
    store.add_rows("charts", make_rows(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match="in use"):
        store.claim("ana")
    assert store.count() == 1
    other.execute("ROLLBACK")
    assert store.claim("ana") is not None


def test_two_stores_on_one_file_see_each_other(url):
    one, two = AnnotationStore(url), AnnotationStore(url)
    one.add_rows("charts", make_rows(2))
    ana, ben = one.claim("ana"), two.claim("ben")
    assert ana.pair_id != ben.pair_id
    two.save(answer(ben, "ben"))
    assert one.progress("ben").labelled == 1


def test_a_url_without_its_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DataError, match="needs a driver") as caught:
        Database("postgresql+psycopg://studio@localhost/labels")
    assert 'pip install "psycopg[binary]"' in caught.value.remedy


def test_a_second_store_and_another_process_take_no_saved_label_away(url, path):
    store = AnnotationStore(url)
    store.add_rows("charts", make_rows(3))
    AnnotationStore(url).close()
    open_and_close(path)
    card = store.claim("ana")
    store.save(answer(card, "ana", key="kept-for-good"))
    assert read_elsewhere(path, "SELECT key FROM labels") == [["kept-for-good"]]
    assert deleted_files("studio.db") == []
    store.close()
