"""A page of one person cannot act in another's name after a change of login, over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.annotation import AnnotationStore
from studio.api import annotate
from studio.api.access.accounts import Accounts, add_user, changing, remove_user
from studio.api.access.login import login_router
from studio.api.access.page_user import ACCOUNT, HEADER, PageUser
from studio.api.context import StudioContext
from studio.core.paths import Workspace
from studio.data.image_store import ImageStore
from studio.data.schema import Answer, Message, Part, Row
from studio.runs.store import RunStore
from studio.ui.shell import change_notification

LOCAL = "http://127.0.0.1:7860"
PASSWORD = "correct horse battery"


def client_of(tmp_path: Path, accounts: Accounts | None) -> tuple[TestClient, StudioContext]:
    workspace = Workspace.locate(tmp_path / "workspace")
    store = AnnotationStore(workspace.database_url)
    prompt = (Message("user", (Part("text", "How many?"),)),)
    rows = [Row(f"r{n}", (), prompt, candidates=(Answer("one"), Answer("two"))) for n in range(3)]
    store.add_rows("charts", rows)
    images, runs = ImageStore(workspace), RunStore(workspace)
    context = StudioContext(workspace, store, images, runs, None, None, None, accounts)
    app = FastAPI()
    app.add_middleware(PageUser, accounts=accounts)
    app.include_router(annotate.router(context))
    app.include_router(change_notification.router(context, runs=False))
    if accounts is not None:
        app.include_router(login_router(accounts))
    headers = {"X-Studio": "1"}
    return TestClient(app, base_url=LOCAL, headers=headers, follow_redirects=False), context


@pytest.fixture
def studio(tmp_path: Path):
    file = tmp_path / "accounts.yaml"
    for name, role in (("lea", "lead"), ("ana", "annotator"), ("ben", "annotator")):
        add_user(file, name, role, PASSWORD)
    client, context = client_of(tmp_path, Accounts.load(file))
    yield client, context
    context.store.close()


def log_in(client: TestClient, name: str) -> None:
    assert client.post("/login", data={"name": name, "password": PASSWORD}).status_code == 303


CHANGES = {
    "next": {},
    "heartbeat": {},
    "leave": {"stamp": 1},
    "undo": {"key": "a-key-of-mine"},
    "save": {"key": "a-key-of-ana", "pair_id": 1, "kind": "tie", "expected_version": 0},
    "../team/decide": {"key": "a-key-of-ana", "pair_id": 1, "kind": "tie"},
    "../team/gold": {"pair_id": 1, "kind": "tie"},
}


@pytest.mark.parametrize("route", CHANGES)
def test_what_a_page_of_ana_sends_is_refused_while_lea_is_logged_in(studio, route):
    client, context = studio
    log_in(client, "lea")
    address = f"/studio/annotate/{route}"
    reply = client.post(address, json=CHANGES[route], headers={HEADER: "ana"})
    assert reply.status_code == 409
    said = reply.json()
    assert (said["field"], said["user"]) == ("user", "lea")
    assert "belongs to ana" in said["message"] and "lea" in said["message"]
    assert "until ana logs in again" in said["remedy"]
    for name in ("ana", "lea"):
        assert context.store.history(name) == []
    assert context.store.team.gold_pairs("charts") == 0


def test_an_answer_of_ana_is_hers_when_she_is_back(studio):
    client, context = studio
    log_in(client, "ana")
    card = client.post("/studio/annotate/next", json={}).json()["cards"][0]
    answer = {"key": "a-key-of-ana", "kind": "tie", "expected_version": card["version"]}
    answer |= {name: card[name] for name in ("pair_id", "showing")}
    log_in(client, "ben")
    for user, status in (("ana", 409), ("ben", 200)):
        asked = client.get(f"/studio/annotate/history?user={user}", headers={HEADER: user})
        assert asked.status_code == status
    assert client.post("/studio/annotate/save", json=answer, headers={HEADER: "ana"}).status_code == 409  # fmt: skip
    log_in(client, "ana")
    saved = client.post("/studio/annotate/save", json=answer, headers={HEADER: "ana"})
    assert saved.status_code == 200
    assert [len(context.store.history(name)) for name in ("ana", "ben")] == [1, 0]


def test_a_page_of_an_account_that_was_made_again_is_another_s(studio, tmp_path):
    client, context = studio
    file = context.accounts.path
    log_in(client, "ana")
    before = {HEADER: "ana", ACCOUNT: client.get("/studio/pulse").headers[ACCOUNT]}
    add_user(file, "ana", "annotator", "another good password")
    assert context.accounts.load(file).account("ana").id == before[ACCOUNT] != ""
    remove_user(file, "ana")
    add_user(file, "ana", "annotator", PASSWORD)
    log_in(client, "ana")
    after = {HEADER: "ana", ACCOUNT: client.get("/studio/pulse").headers[ACCOUNT]}
    assert after[ACCOUNT] != before[ACCOUNT]
    refused = client.post("/studio/annotate/next", json={}, headers=before)
    assert refused.status_code == 409
    assert "an earlier account called ana" in refused.json()["message"]
    assert client.post("/studio/annotate/next", json={}, headers=after).status_code == 200


def test_accounts_of_a_file_of_before_have_no_id_and_work_as_before(studio):
    client, context = studio
    file = context.accounts.path
    with changing(file) as values:
        for user in values["users"].values():
            del user["id"]
    log_in(client, "ana")
    assert client.get("/studio/pulse").headers[ACCOUNT] == ""
    for headers in ({HEADER: "ana"}, {HEADER: "ana", ACCOUNT: ""}):
        reply = client.post("/studio/annotate/next", json={}, headers=headers)
        assert reply.status_code == 200
    add_user(file, "ana", "annotator", "another good password")
    assert Accounts.load(file).account("ana").id == ""


def test_the_answers_say_who_is_logged_in_and_are_not_kept(studio):
    client, _ = studio
    assert HEADER not in client.get("/studio/pulse").headers
    for name in ("ana", "ben"):
        log_in(client, name)
        for reply in (client.get("/studio/pulse"), client.post("/studio/annotate/next", json={})):
            assert reply.headers[HEADER] == name
            assert reply.headers["cache-control"] == "no-store"
    assert HEADER not in client.get(f"/studio/images/{'0' * 64}").headers


def test_a_page_that_is_logged_out_is_told_so(studio):
    client, _ = studio
    answer = client.post("/studio/annotate/next", json={}, headers={HEADER: "ana"})
    assert answer.status_code == 401


def test_a_page_of_an_account_is_refused_by_a_studio_without_logins(tmp_path):
    client, context = client_of(tmp_path, None)
    for meant, status in (("local", 200), ("ana", 409), ("na%C3%AFve", 409)):
        reply = client.post("/studio/annotate/next", json={}, headers={HEADER: meant})
        assert reply.status_code == status
        assert reply.headers[HEADER] == "local"
    assert "naïve" in reply.json()["message"]
    context.store.close()
