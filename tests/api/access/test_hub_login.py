"""Logging in with a Hugging Face account, against a stand-in for the hub."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio.api.access import accounts_pages
from studio.api.access.hub_login import hub_accounts, hub_login_router
from studio.api.access.rules import HOME

NAMES = {"code-of-lea": "Lea", "code-of-ana": "ana", "code-of-eve": "eve<b>"}


class Provider(BaseHTTPRequestHandler):
    """Gives the name that belongs to a code."""

    def do_POST(self):
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = self.headers["Authorization"].startswith("Basic ") and asked["code"][0] in NAMES
        self.answer(200 if known else 400, {"access_token": asked["code"][0]})

    def do_GET(self):
        code = self.headers["Authorization"].removeprefix("Bearer ")
        self.answer(200, {"preferred_username": NAMES[code]})

    def answer(self, status: int, value: dict) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture(scope="module")
def space():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "SPACE_ID": "Lea/studio",
        "SPACE_HOST": "lea-studio.hf.space",
        "OAUTH_CLIENT_ID": "client",
        "OAUTH_CLIENT_SECRET": "secret",
        "OPENID_PROVIDER_URL": f"http://127.0.0.1:{server.server_port}",
        "STUDIO_ANNOTATORS": "Ana, ben",
    }
    server.shutdown()
    server.server_close()


@pytest.fixture
def accounts(space, tmp_path):
    return opened(space, tmp_path)


def opened(space, folder):
    found = hub_accounts(space)
    found.sessions.keep_in(folder / "sessions.json")
    return found


@pytest.fixture
def client(accounts):
    app = FastAPI()
    app.include_router(hub_login_router(accounts))
    return TestClient(app, base_url="https://lea-studio.hf.space", follow_redirects=False)


def log_in(client, code: str):
    sent = parse_qs(urlsplit(client.get("/login/hub").headers["location"]).query)
    assert sent["redirect_uri"] == ["https://lea-studio.hf.space/login/callback"]
    return client.get("/login/callback", params={"code": code, "state": sent["state"][0]})


@pytest.mark.parametrize(("code", "role"), [("code-of-lea", "lead"), ("code-of-ana", "annotator")])
def test_names_have_roles_and_a_cookie_proves_them(client, accounts, space, tmp_path, code, role):
    answer = log_in(client, code)
    assert answer.headers["location"] == HOME[role]
    cookie = client.cookies["studio_session"]
    for studio in (accounts, opened(space, tmp_path)):  # now, and after a restart
        found = studio.of_cookie(cookie)
        assert (found.name, found.role) == (NAMES[code], role)
    others = space | {"STUDIO_LEADS": "zoe", "STUDIO_ANNOTATORS": "zoe"}
    assert opened(others, tmp_path).of_cookie(cookie) is None
    changed = space | {"OAUTH_CLIENT_SECRET": "new"}
    assert opened(changed, tmp_path).of_cookie(cookie) is None


def test_logging_out_ends_the_session_on_the_server(client, accounts, space, tmp_path):
    log_in(client, "code-of-lea")
    cookie = client.cookies["studio_session"]
    assert client.post("/logout").headers["location"] == "/login"
    assert accounts.of_cookie(cookie) is None
    assert opened(space, tmp_path).of_cookie(cookie) is None


def test_who_is_not_named_stays_outside(client):
    answer = log_in(client, "code-of-eve")
    assert answer.status_code == 403
    assert "eve&lt;b&gt; may not use this studio" in answer.text
    assert "studio_session" not in client.cookies


def test_the_lead_sees_who_is_in_and_ends_their_sessions(accounts, client):
    noted = []

    class Team:
        def note(self, who, action, dataset, details):
            noted.append((who, action, details["account"]))

    client.app.include_router(
        accounts_pages.router(
            SimpleNamespace(accounts=accounts, store=SimpleNamespace(team=Team()))
        )
    )
    log_in(client, "code-of-ana")
    ana = client.cookies["studio_session"]
    client.cookies.clear()
    log_in(client, "code-of-lea")
    page = client.get("/accounts").text
    assert "STUDIO_ANNOTATORS" in page and "<b>ana</b>" in page
    assert "Reset password" not in page and "Change password" not in client.get("/account").text
    assert client.post("/accounts/remove", data={"name": "ana"}).status_code == 404
    assert client.post("/accounts/invite", data={"name": "zoe"}).status_code == 404
    assert client.post("/account/password", data={"password": "x"}).status_code == 422
    assert client.post("/accounts/end-all", data={"name": "ana"}).status_code == 303
    assert accounts.of_cookie(ana) is None
    assert noted == [("Lea", "log out everywhere", "ana")]


def test_a_star_lets_everybody_annotate(space):
    everybody = hub_accounts(space | {"STUDIO_ANNOTATORS": "*", "STUDIO_LEADS": "zoe"})
    assert everybody.account("eve").role == "annotator"
    assert everybody.account("Lea").role == "annotator"
    assert everybody.account("Zoe").role == "lead"


def test_a_callback_nobody_asked_for_and_a_code_the_hub_refuses(client):
    client.get("/login/hub")
    stolen = client.get("/login/callback", params={"code": "code-of-lea", "state": "guessed"})
    assert stolen.status_code == 400 and "interrupted" in stolen.text
    assert log_in(client, "no-code").status_code == 502
    assert "studio_session" not in client.cookies


def test_only_on_a_space_with_oauth(space):
    assert hub_accounts({}) is None
    assert hub_accounts({**space, "SPACE_ID": ""}) is None
    assert hub_accounts({**space, "OAUTH_CLIENT_ID": ""}) is None
