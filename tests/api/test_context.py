"""What a studio opens, and that nothing of it stays behind."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from fastapi import HTTPException

from studio.api.context import LOCAL_USER, close_context, open_context
from studio.core.errors import StudioError
from studio.core.paths import Workspace
from studio.launch.open_studios import Presence

PEOPLE = {
    "lea": SimpleNamespace(name="lea", role="lead"),
    "ana": SimpleNamespace(name="ana", role="annotator"),
}


class Accounts:
    """Accounts that know who asks by the name of the request."""

    def of_request(self, request):
        return PEOPLE.get(request)


@pytest.fixture
def context(tmp_path):
    opened = open_context(str(tmp_path / "workspace"))
    yield opened
    close_context(opened)


def test_without_accounts_whoever_asks_leads(context):
    assert context.user("anybody") == LOCAL_USER and context.is_lead("anybody")


def test_with_accounts_people_are_who_they_are(context):
    closed = replace(context, accounts=Accounts())
    assert [closed.user(name) for name in PEOPLE] == ["lea", "ana"]
    assert [closed.is_lead(name) for name in ("lea", "ana", "nobody")] == [True, False, False]
    with pytest.raises(HTTPException) as refused:
        closed.user("nobody")
    assert refused.value.status_code == 401


def test_a_studio_that_cannot_open_is_not_taken_for_one_that_has(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "studio.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StudioError):
        open_context(str(folder))
    assert Presence(Workspace.locate(folder)).others() == []


def test_a_studio_that_was_closed_is_gone(tmp_path):
    context = open_context(str(tmp_path))
    assert len(Presence(context.workspace).others()) == 1
    close_context(context)
    assert Presence(context.workspace).others() == []
