"""Damaged, foreign and newer databases are refused and left as they are; kills lose nothing."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from studio.annotation import AnnotationStore
from studio.annotation.database import sqlite_file
from studio.annotation.database.backup import back_up, restore
from studio.annotation.database.connection import MIGRATIONS, REVISION, Database
from studio.annotation.database.tables import Base
from studio.core.errors import BusyError, DataError, StudioError
from tests.annotation.conftest import answer, make_rows
from tests.open_files import copy_of, deleted_files, open_and_close, read_elsewhere
from tests.places import ROOT


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


def test_an_empty_file_with_a_journal_is_refused_and_the_journal_stays(url, path):
    path.write_bytes(b"")
    path.with_name("studio.db-wal").write_bytes(b"labels")
    refused(url, path, "0 bytes long")
    assert path.with_name("studio.db-wal").read_bytes() == b"labels"


def test_what_another_process_folds_in_just_then_is_not_taken_for_damage(url, path, monkeypatch):
    content = filled(url, path)
    path.write_bytes(content[: len(content) // 2])
    looks = []

    def waited(seconds: float) -> None:
        looks.append(seconds)
        path.write_bytes(content)

    monkeypatch.setattr("studio.annotation.database.sqlite_file.time.sleep", waited)
    store = AnnotationStore(url)
    assert store.count() == 200 and len(looks) == 1
    store.close()


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


def deleted(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def replaced(path: Path) -> None:
    copy_of(path, path.with_name("copy.db")).replace(path)


def without_journal(path: Path) -> None:
    path.with_name("studio.db-wal").unlink()


LOST = {
    deleted: "deleted or moved",
    moved: "deleted or moved",
    replaced: "replaced by another file",
    without_journal: "lost its journal",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "workspace"
    made.mkdir()
    return made


@pytest.mark.parametrize(("lose", "what"), LOST.items())
def test_nothing_is_said_to_be_saved_into_a_lost_file(folder, lose, what, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(folder.parent))
    path = folder / "studio.db"
    store = in_progress(f"sqlite:///{path}")
    card = store.claim("ana")
    lose(path)
    for _ in range(2):
        with pytest.raises(StudioError, match=what) as caught:
            store.save(answer(card, "ana"))
        said = f"{caught.value.message} {caught.value.remedy}"
        assert str(folder) not in said and "studio.db" not in said
        assert "tell the lead" in said
    with pytest.raises(StudioError, match=what):
        store.progress("ana")
    rescued = sorted(folder.parent.rglob("studio.db.rescued-*"))
    assert len(rescued) == 1
    assert f"1 labels, is in {rescued[0]}" in store.trouble
    assert store.trouble == caught.value.detail
    assert str(rescued[0]) in caplog.text
    assert read_elsewhere(rescued[0], "SELECT count(*) FROM labels") == [[1]]
    store.close()


IN_STUDIO = """
import sys
sys.path.insert(0, "")
from tests.annotation.database import test_connection
from studio.core.errors import StudioError
path = test_connection.Path(sys.argv[1])
store = test_connection.in_progress(f"sqlite:///{path}")
getattr(test_connection, sys.argv[2])(path)
try:
    store.claim("ana")
except StudioError:
    store.close()
"""


@pytest.mark.parametrize("lose", [deleted, replaced, without_journal])
def test_what_was_rescued_is_put_back_once_the_studio_has_ended(folder, lose):
    path = folder / "studio.db"
    url = f"sqlite:///{path}"
    command = [sys.executable, "-c", IN_STUDIO, str(path), lose.__name__]
    subprocess.run(command, check=True, cwd=ROOT)
    restore(url, next(folder.glob("studio.db.rescued-*")))
    again = AnnotationStore(url)
    assert again.progress("ana").labelled == 1
    saved_by(again, "ana")
    assert again.progress("ana").labelled == 2
    again.close()


def test_a_file_that_took_the_place_is_neither_read_nor_backed_up(folder):
    path = folder / "studio.db"
    url = f"sqlite:///{path}"
    store = in_progress(url)
    replaced(path)
    with pytest.raises(StudioError, match="replaced"):
        AnnotationStore(url)
    with pytest.raises(StudioError, match="replaced"):
        back_up(url, folder / "backup.db")
    assert not (folder / "backup.db").exists()
    store.close()


def test_a_lost_file_is_left_alone_when_the_studio_ends(folder):
    path = folder / "studio.db"
    store = in_progress(f"sqlite:///{path}")
    without_journal(path)
    with pytest.raises(StudioError):
        store.claim("ana")
    content = path.read_bytes()
    path.with_name("studio.db-wal").write_bytes(b"of somebody else")
    store.close()
    assert path.with_name("studio.db-wal").read_bytes() == b"of somebody else"
    assert path.read_bytes() == content


def test_a_lost_database_is_not_begun_anew_where_a_copy_of_it_lies(folder):
    path = folder / "studio.db"
    url = f"sqlite:///{path}"
    store = in_progress(url)
    deleted(path)
    with pytest.raises(StudioError):
        store.claim("ana")
    store.close()
    for rest in ("studio.db-wal", "studio.db-shm"):
        path.with_name(rest).unlink(missing_ok=True)
    with pytest.raises(DataError, match="rescued") as caught:
        AnnotationStore(url)
    assert "studio restore" in caught.value.remedy
    assert not path.exists()


def test_a_disk_that_does_not_answer_is_said_and_asked_again(url, path, monkeypatch, caplog):
    store = in_progress(url)
    card = store.claim("ana")

    def failing(_path):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file, "identity", failing)
        with pytest.raises(StudioError, match="cannot be reached: Input/output error") as caught:
            store.save(answer(card, "ana", key="asked-again"))
    assert str(path) not in str(caught.value) and str(path) in caught.value.in_full
    assert "Traceback" in caplog.text
    store.save(answer(card, "ana", key="asked-again"))
    assert read_elsewhere(path, "SELECT count(*) FROM labels") == [[2]]
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
