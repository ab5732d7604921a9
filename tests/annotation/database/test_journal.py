"""Labels of a machine whose disk does not last: pushed, put back, and a failing push is told."""

from __future__ import annotations

import pytest

from studio.annotation import AnnotationStore
from studio.annotation.database.journal import Journal, JournalState, open_journal
from studio.core.errors import InputError, RunFailedError
from studio.core.paths import Workspace
from studio.ui.shell.header import journal as shown
from tests.annotation.conftest import answer, make_rows
from tests.annotation.hub import Hub, running


@pytest.fixture
def hub():
    with running() as address:
        yield address


@pytest.fixture
def journal(tmp_path, hub) -> Journal:
    """Of a workspace with one label and one image."""
    workspace = Workspace.locate(tmp_path / "first")
    image = workspace.images / "ab" / "abcd.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"pixels")
    store = AnnotationStore(workspace.database_url)
    store.add_rows("charts", make_rows(3))
    store.save(answer(store.claim("ana"), "ana"))
    store.close()
    return Journal(workspace, "me/mine", endpoint=hub, every=60)


def test_what_was_pushed_is_there_on_a_machine_with_an_empty_disk(journal, tmp_path, hub):
    assert journal.restore() is False  # it has a database, which stays
    journal.start()
    journal.close()
    assert set(Hub.files) == {"studio.db", "images/ab/abcd.png"}
    assert journal.state.pushed_at and not journal.state.failing

    empty = Workspace.locate(tmp_path / "second")
    assert Journal(empty, "me/mine", endpoint=hub).restore() is True
    store = AnnotationStore(empty.database_url)
    assert store.progress("ana").labelled == 1
    store.close()
    assert (empty.images / "ab" / "abcd.png").read_bytes() == b"pixels"


def test_an_empty_repository_is_a_fresh_start_and_an_unreadable_one_stops_it(tmp_path, hub):
    journal = Journal(Workspace.locate(tmp_path / "new"), "me/mine", endpoint=hub)
    assert journal.restore() is False
    Hub.files["studio.db"] = b""
    Hub.refuse = True
    with pytest.raises(RunFailedError, match="cannot be read"):
        journal.restore()
    with pytest.raises(RunFailedError, match="cannot be kept"):
        journal.start()


def test_repeated_failure_is_shown_to_everybody_and_success_ends_it(journal, caplog):
    def fail():
        raise OSError("<no> connection")

    def fail_without_a_word():
        raise TimeoutError

    def send():
        return "sent"

    assert journal.push(send) == "sent"
    good = shown(journal.state)
    assert "alert" not in good
    journal.push(fail)
    assert shown(journal.state) == good
    assert "Traceback" in caplog.text and "<no> connection" in caplog.text
    caplog.clear()
    journal.push(fail)
    assert caplog.text == ""  # the same once
    journal.push(send)
    journal.push(fail)
    journal.push(fail_without_a_word)
    assert journal.state.problem == "TimeoutError"
    journal.push(fail)
    assert 'role="alert"' in shown(journal.state) and "&lt;no&gt;" in shown(journal.state)
    journal.push(send)
    assert journal.state.failures == 0


def test_the_variable_is_checked_before_anything_starts(tmp_path, monkeypatch):
    workspace = Workspace.locate(tmp_path)
    assert open_journal(workspace, {}) is None
    with pytest.raises(InputError, match="STUDIO_JOURNAL"):
        open_journal(workspace, {"STUDIO_JOURNAL": "labels"})
    monkeypatch.setenv("STUDIO_DATABASE_URL", "postgresql+psycopg://studio@localhost/labels")
    with pytest.raises(InputError, match="SQLite"):
        open_journal(workspace, {"STUDIO_JOURNAL": "me/mine"})
    assert JournalState().failing is False
