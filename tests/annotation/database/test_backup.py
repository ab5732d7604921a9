"""A backup taken while labelling goes on, and put back; damaged ones change nothing."""

from __future__ import annotations

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.database.backup import back_up, restore
from studio.core.errors import ConflictError, DataError, InputError, NotFoundError, RunFailedError
from tests.annotation.conftest import answer, make_rows


@pytest.fixture
def copied(store, url, tmp_path):
    """A backup of two labels, of a store that has three."""
    store.add_rows("charts", make_rows(4))
    for _ in range(2):
        store.save(answer(store.claim("ana"), "ana"))
    made = back_up(url, tmp_path / "copy? 100%.db")
    assert made.labels == 2
    store.save(answer(store.claim("ana"), "ana"))
    return made.path


def test_what_was_backed_up_comes_back_and_what_was_there_is_kept(store, url, copied):
    store.close()
    kept = restore(url, copied)
    opened = AnnotationStore(url)
    assert opened.progress("ana").labelled == 2
    assert ("restored", f"from: {copied.name}") in {
        (line.action, line.what) for line in opened.team.log(dataset="charts")
    }
    opened.close()
    before = AnnotationStore(f"sqlite:///{kept}")
    assert before.progress("ana").labelled == 3
    before.close()


def test_a_backup_needs_no_links_and_a_place_that_can_be_written(store, url, tmp_path, monkeypatch):
    monkeypatch.setattr("os.link", lambda *_: (_ for _ in ()).throw(OSError(1, "no links here")))
    assert back_up(url, tmp_path / "first.db").path.is_file()
    with pytest.raises(ConflictError, match="exists"):
        back_up(url, tmp_path / "first.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailedError, match="cannot be written"):
        back_up(url, tmp_path / "file" / "second.db")
    assert not list(tmp_path.glob(".*.part"))


def test_a_damaged_backup_or_another_program_s_changes_nothing(store, url, copied, tmp_path):
    store.close()
    content = (tmp_path / "studio.db").read_bytes()
    copied.write_bytes(copied.read_bytes()[:5000])
    with pytest.raises(DataError):
        restore(url, copied)
    copied.write_bytes(b"something else" * 1000)
    with pytest.raises(DataError):
        restore(url, copied)
    with pytest.raises(NotFoundError):
        restore(url, tmp_path / "nothing.db")
    assert (tmp_path / "studio.db").read_bytes() == content


def test_a_database_in_use_is_not_replaced(store, url, copied):
    with store._database.write() as connection:
        assert connection is not None
        with pytest.raises(ConflictError, match="in use"):
            restore(url, copied)
    assert store.progress("ana").labelled == 3


def test_nothing_is_overwritten(url, copied):
    with pytest.raises(ConflictError, match="exists"):
        back_up(url, copied)
    with pytest.raises(InputError, match="PostgreSQL"):
        back_up("postgresql+psycopg://x@y/z", copied)
