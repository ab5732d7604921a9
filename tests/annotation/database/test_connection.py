"""Opening, sharing and closing a database, and its transactions."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.database.connection import Database
from studio.core.errors import BusyError, DataError, StudioError
from tests.annotation.conftest import answer, make_rows
from tests.annotation.database.conftest import filled, in_progress, refused, saved_by
from tests.open_files import deleted_files, open_and_close, read_elsewhere
from tests.places import ROOT


def test_a_newer_database_is_refused(url, path):
    filled(url, path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    refused(url, path, "newer version")


@pytest.mark.parametrize("bad", ["nonsense", "sqlite://", "sqlite:///:memory:", "foo://x/y"])
def test_unusable_urls_are_refused(bad):
    with pytest.raises(DataError) as caught:
        AnnotationStore(bad)
    assert caught.value.field == "STUDIO_DATABASE_URL"


def test_commits_are_durable_by_setting(url):
    with Database(url).read() as connection:

        def pragma(name: str):
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") > 0


def test_another_process_holding_the_lock_is_waited_for_then_named(url, path, monkeypatch):
    monkeypatch.setattr("studio.annotation.database.connection.BUSY_SECONDS", 0)
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
    assert deleted_files(str(path)) == []
    store.close()


def test_stores_of_one_file_share_it_until_the_last_is_closed(url, path, tmp_path):
    one = in_progress(url)
    (tmp_path / "other").symlink_to(path)
    two = AnnotationStore(f"sqlite:///{tmp_path / 'other'}")
    assert two._database.engine is one._database.engine
    one.close()
    with pytest.raises(StudioError, match="closed"):
        one.claim("ben")
    saved_by(two, "ben")
    two.close()
    two.close()
    assert not path.with_name("studio.db-wal").exists()


def test_a_store_that_nobody_has_any_more_lets_go_of_the_file(url, path):
    store = in_progress(url)
    del store
    gc.collect()
    assert not path.with_name("studio.db-wal").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_neither_uses_nor_opens_what_its_parent_has_open(url, path):
    store = in_progress(url)
    said, tell = os.pipe()
    child = os.fork()
    if child == 0:
        for attempt in (lambda: store.claim("ben"), lambda: AnnotationStore(url)):
            try:
                attempt()
            except StudioError as error:
                os.write(tell, f"{error.message}\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(tell)
    with os.fdopen(said) as heard:
        assert heard.read().count("forked from") == 2
    open_and_close(path)
    saved_by(store, "ben")
    assert read_elsewhere(path, "SELECT count(*) FROM labels") == [[2]]
    store.close()


FILL = """
import resource, sys
from pathlib import Path
from studio.annotation import AnnotationStore
from studio.core.errors import StudioError
path = Path(sys.argv[1])
store = AnnotationStore(f"sqlite:///{path}")
held = path.with_name("studio.db-wal").stat().st_size + 4096
resource.setrlimit(resource.RLIMIT_FSIZE, (held, resource.RLIM_INFINITY))
told = []
for number in range(40):
    try:
        store.claim(f"person-{number}")
    except StudioError as error:
        told.append(error.message)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.claim("later")
print(len(told), told[-1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_full_disk_is_said_logged_and_over_when_there_is_room(url, path):
    in_progress(url).close()
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert int(done.stdout.split()[0]) > 5
    assert "cannot be used: d" in done.stdout and str(path) not in done.stdout  # disk …, database …
    assert "Traceback" in done.stderr and str(path) in done.stderr
    people = read_elsewhere(path, "SELECT name FROM annotators")
    assert ["later"] in people and len(people) < 41
