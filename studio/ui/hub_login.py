"""Logging in with a Hugging Face account, on a Space with `hf_oauth: true`.

Who may do what is said by names: `STUDIO_LEADS` (without it the Space's owner) and
`STUDIO_ANNOTATORS`, separated by commas; `*` lets everybody annotate who has an account. The
steps are those of OAuth 2.0's authorization code, RFC 6749 section 4.1.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from studio.logs import log_told
from studio.ui.auth import COOKIE, SESSION_SECONDS, Account, Accounts

STATE, STATE_SECONDS = "studio_state", 600
NEEDED = ("SPACE_ID", "SPACE_HOST", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OPENID_PROVIDER_URL")
SECONDS = 15
IN_A_FRAME = {"httponly": True, "secure": True, "samesite": "none"}  # a Space is shown in one
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>VLM Studio</title>
<style>:root{{color-scheme:light dark}}body{{font:14px system-ui,sans-serif;display:grid;
place-content:center;gap:16px;min-height:100vh;margin:0}}h1{{font-size:20px;margin:0}}
a{{padding:10px 14px;border-radius:8px;background:#4f46e5;color:#fff;text-decoration:none;
font-weight:600}}p{{margin:0;max-width:40ch}}</style><h1>VLM Studio</h1>{said}
<a href="/login/hub">Log in with Hugging Face</a></html>"""


@dataclass
class HubAccounts(Accounts):
    """Accounts by Hugging Face names; nobody has a password here."""

    environment: Mapping[str, str] | None = None
    leads: frozenset[str] = frozenset()
    annotators: frozenset[str] = frozenset()

    def account(self, name: str) -> Account | None:
        """The account of somebody the hub has vouched for; None when they may not come in.

        Nothing is kept: a cookie is signed with the Space's secret, and outlives a restart.
        """
        known = name.lower()
        if known in self.leads:
            return Account(name, "lead", "hub")
        if known in self.annotators or "*" in self.annotators:
            return Account(name, "annotator", "hub")
        return None


def hub_accounts(environment: Mapping[str, str]) -> HubAccounts | None:
    """Accounts of the Space this is; None elsewhere, and without `hf_oauth: true`."""
    if not all(environment.get(name) for name in NEEDED):
        return None
    owner = environment.get("SPACE_AUTHOR_NAME", environment["SPACE_ID"].split("/")[0])
    secret = f"studio|{environment['OAUTH_CLIENT_SECRET']}".encode()
    return HubAccounts(
        {},
        hashlib.sha256(secret).digest(),
        environment=environment,
        leads=_names(environment.get("STUDIO_LEADS") or owner),
        annotators=_names(environment.get("STUDIO_ANNOTATORS", "")),
    )


def _names(listed: str) -> frozenset[str]:
    return frozenset({name.strip().lower() for name in listed.split(",")} - {""})


def hub_login_router(accounts: HubAccounts, home: Mapping[str, str]) -> APIRouter:
    """`/login`, `/login/hub`, `/login/callback` and `/logout`; `home` is by role."""
    routes = APIRouter()

    @routes.get("/login")
    def show() -> HTMLResponse:
        return _page("")

    @routes.get("/login/hub")
    def leave() -> RedirectResponse:
        return _to_the_hub(accounts)

    @routes.get("/login/callback")
    def come_back(
        request: Request,
        code: Annotated[str, Query(max_length=2000)] = "",
        state: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        sent = request.cookies.get(STATE, "")
        if not code or not sent or not hmac.compare_digest(sent.encode(), state.encode()):
            return _page("The login was interrupted. Try again.", 400)
        return _enter(accounts, code, home)

    @routes.get("/logout")
    def log_out() -> RedirectResponse:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, secure=True, samesite="none")
        return answer

    return routes


def _back(accounts: HubAccounts) -> str:
    return f"https://{accounts.environment['SPACE_HOST']}/login/callback"


def _to_the_hub(accounts: HubAccounts) -> RedirectResponse:
    state = secrets.token_urlsafe(24)
    asked = {
        "response_type": "code",
        "client_id": accounts.environment["OAUTH_CLIENT_ID"],
        "redirect_uri": _back(accounts),
        "scope": "openid profile",
        "state": state,
    }
    provider = accounts.environment["OPENID_PROVIDER_URL"]
    answer = RedirectResponse(f"{provider}/oauth/authorize?{urlencode(asked)}", 303)
    answer.set_cookie(STATE, state, max_age=STATE_SECONDS, **IN_A_FRAME)
    return answer


def _enter(accounts: HubAccounts, code: str, home: Mapping[str, str]) -> Response:
    from httpx import HTTPError

    try:
        name = _name(accounts, code)
    except (HTTPError, ValueError, KeyError) as error:
        log_told(error)
        return _page("Hugging Face did not confirm who you are. Try again.", 502)
    account = accounts.account(name)
    if account is None:
        return _page(f"{name} may not use this studio. Ask its owner to add that name.", 403)
    answer = RedirectResponse(home[account.role], 303)
    answer.set_cookie(COOKIE, accounts.cookie(account), max_age=SESSION_SECONDS, **IN_A_FRAME)
    answer.delete_cookie(STATE, secure=True, samesite="none")
    return answer


def _name(accounts: HubAccounts, code: str) -> str:
    """Whose code this is. Raises httpx.HTTPError, ValueError, KeyError."""
    from httpx import Client

    known = accounts.environment
    asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": _back(accounts)}
    client_is = (known["OAUTH_CLIENT_ID"], known["OAUTH_CLIENT_SECRET"])
    with Client(base_url=known["OPENID_PROVIDER_URL"], timeout=SECONDS) as client:
        given = client.post("/oauth/token", data=asked, auth=client_is).raise_for_status().json()
        headers = {"Authorization": f"Bearer {given['access_token']}"}
        person = client.get("/oauth/userinfo", headers=headers).raise_for_status().json()
    return str(person["preferred_username"])


def _page(said: str, status: int = 200) -> HTMLResponse:
    shown = f'<p role="alert">{escape(said)}</p>' if said else ""
    return HTMLResponse(PAGE.format(said=shown), status, {"Cache-Control": "no-store"})
