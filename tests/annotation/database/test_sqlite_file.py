"""Files that are damaged, foreign or lost are refused, and their labels rescued."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.database import sqlite_file
from studio.annotation.database.backup import back_up, restore
from studio.core.errors import DataError, StudioError
from tests.annotation.conftest import answer
from tests.annotation.database.conftest import filled, in_progress, refused, saved_by
from tests.open_files import copy_of, read_elsewhere
from tests.places import ROOT


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


def test_a_journal_without_its_database_is_refused(url, path):
    path.with_name("studio.db-wal").write_bytes(b"journal")
    with pytest.raises(DataError, match="gone"):
        AnnotationStore(url)
    assert not path.exists()


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
from tests.annotation.database import test_sqlite_file
from studio.core.errors import StudioError
path = test_sqlite_file.Path(sys.argv[1])
store = test_sqlite_file.in_progress(f"sqlite:///{path}")
getattr(test_sqlite_file, sys.argv[2])(path)
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
