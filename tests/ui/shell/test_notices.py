"""What a lead is told of the workspace: another studio, a lost database, rescued labels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.api.access.accounts import Accounts, add_user
from studio.api.context import close_context, open_context
from studio.core.errors import StudioError
from studio.ui.shell.change_notification import header_word
from studio.ui.shell.header import PageHeader
from studio.ui.shell.notices import notices


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def context(folder):
    opened = open_context(str(folder))
    yield opened
    close_context(opened)


def test_both_studios_say_that_there_is_another_and_who_starts_runs(context, folder, monkeypatch):
    monkeypatch.setattr("studio.launch.open_studios.LOOK_SECONDS", 0.0)
    assert notices(context) == []
    before = header_word(context, None)
    context.supervisor._supervising()
    second = open_context(str(folder))
    second.presence.serves_at("http://127.0.0.1:7861")
    [here], [there] = notices(context), notices(second)
    assert "Another studio at http://127.0.0.1:7861" in here and "This studio starts" in here
    assert "Another studio" in there and "The other starts" in there
    assert header_word(context, None) != before
    page = PageHeader(context, ("data", "runs")).html()
    assert 'role="alert"' in page and "Another studio at" in page
    close_context(second)
    assert notices(context) == []


def test_a_lost_database_is_said_to_leads_and_not_to_annotators(context, folder, tmp_path):
    file = tmp_path / "accounts.yaml"
    add_user(file, "lea", "lead", "a long password")
    closed = replace(context, accounts=Accounts.load(file))
    (folder / "studio.db").unlink()
    with pytest.raises(StudioError):
        context.store.claim("ana")
    [said] = notices(closed)
    assert said.startswith("Nothing is saved") and "studio.db.rescued-" in said
    assert "Nothing is saved" in PageHeader(closed, ("data", "runs")).html()
    assert "Nothing is saved" not in PageHeader(closed, ("annotate",)).html()
    assert "Nothing is saved" in PageHeader(context, ("annotate",)).html()


def test_rescued_labels_are_named_until_they_are_moved_away(context, folder):
    copy = folder / "studio.db.rescued-20260101-120000-1"
    copy.write_bytes(b"labels")
    [said] = notices(context)
    assert f"studio restore {copy}" in said
    copy.unlink()
    assert notices(context) == []


def test_a_workspace_that_cannot_be_opened_is_not_announced(folder):
    folder.mkdir()
    (folder / "studio.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StudioError):
        open_context(str(folder))
    assert list((folder / "studios").glob("*.json")) == []
