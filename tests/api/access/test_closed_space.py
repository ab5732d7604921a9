"""A Space without logins serves no studio, unless its owner says that everybody may use it."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from studio.api import context, server
from studio.api.access import host_names
from studio.api.access.accounts import add_user
from studio.api.access.closed_space import closed_app
from studio.ui import serve as entry

OAUTH = {
    "SPACE_HOST": "lea-studio.hf.space",
    "OAUTH_CLIENT_ID": "client",
    "OAUTH_CLIENT_SECRET": "secret",
    "OPENID_PROVIDER_URL": "https://huggingface.co",
}


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Starts the studio as on a Space, and gives what it would serve and whom it would let in."""
    for name in (*OAUTH, "STUDIO_AUTH", "STUDIO_SHARE_WITHOUT_AUTH", "STUDIO_JOURNAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPACE_ID", "lea/studio")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(host_names, "own_names", host_names.own_names.__wrapped__)
    served = {}

    def open_context(folder, accounts):
        served["accounts"] = accounts
        return opened(folder, accounts)

    opened = context.open_context
    monkeypatch.setattr(context, "open_context", open_context)
    monkeypatch.setattr(server, "serve", lambda given, *_, **__: served.update(app=given))

    def start(**environment: str) -> tuple[TestClient, dict]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        flags = ["--port", "0", "--workspace", str(tmp_path / "workspace")]
        assert entry.main(flags) == 0
        return TestClient(served["app"], base_url="https://lea-studio.hf.space"), served

    return start


def test_without_logins_nothing_is_served_but_the_way_out(started, tmp_path):
    client, served = started(SPACE_HOST="lea-studio.hf.space")
    page = client.get("/").text
    for way in ("hf_oauth: true", "STUDIO_AUTH", "STUDIO_SHARE_WITHOUT_AUTH"):
        assert way in page
    assert "https://huggingface.co/spaces/lea/studio/settings" in page
    for path in ("config", "studio/annotate/datasets", "gradio_api/info", "annotate/", "login"):
        assert client.get(f"/{path}").status_code == 404
    assert client.post("/studio/annotate/next", json={}).status_code == 404
    assert "accounts" not in served
    assert not (tmp_path / "workspace").exists()


def test_half_of_what_oauth_needs_is_no_login(started):
    client, _ = started(OAUTH_CLIENT_ID="client")
    assert client.get("/config").status_code == 404


@pytest.mark.parametrize("said", ["", "0", "no"])
def test_only_a_yes_opens_it_to_everybody(started, said):
    client, served = started(STUDIO_SHARE_WITHOUT_AUTH=said)
    assert "accounts" not in served
    assert client.get("/config").status_code == 404


def test_the_owner_can_open_a_demo_to_everybody(started):
    client, served = started(STUDIO_SHARE_WITHOUT_AUTH="1", SPACE_HOST="lea-studio.hf.space")
    assert served["accounts"] is None
    assert client.get("/config").status_code == 200


def test_accounts_of_either_kind_open_it(started, tmp_path):
    _, served = started(**OAUTH)
    assert served["accounts"].leads == {"lea"}
    add_user(tmp_path / "accounts.yaml", "lea", "lead", "password of lea")
    _, served = started(STUDIO_AUTH=str(tmp_path / "accounts.yaml"))
    assert set(served["accounts"].by_name) == {"lea"}


def test_a_name_that_is_none_is_not_put_into_the_page():
    assert "<script" not in TestClient(closed_app('"><script>')).get("/").text
