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
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from studio.api.access.accounts import Account, Accounts
from studio.api.access.login import add_common, enter
from studio.api.access.page_frame import page
from studio.api.access.request_checks import FormRoute
from studio.core.logs import strangers

STATE, STATE_SECONDS = "studio_state", 600
NEEDED = ("SPACE_ID", "SPACE_HOST", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OPENID_PROVIDER_URL")
SECONDS = 15
IN_A_FRAME: dict[str, Any] = {
    "httponly": True,
    "secure": True,
    "samesite": "none",
}  # a Space is shown in one


@dataclass
class HubAccounts(Accounts):
    """Accounts by Hugging Face names; nobody has a password here."""

    environment: Mapping[str, str] = field(default_factory=dict)
    leads: frozenset[str] = frozenset()
    annotators: frozenset[str] = frozenset()
    in_a_frame = True

    def account(self, name: str) -> Account | None:
        """Return the account of somebody the hub has vouched for; None when they may not come in.

        Who may come in is read from the Space's variables each time, and kept nowhere else.
        """
        known = name.lower()
        if known in self.leads:
            return Account(name, "lead", "hub")
        if known in self.annotators or "*" in self.annotators:
            return Account(name, "annotator", "hub")
        return None

    def proof(self, account: Account) -> str:
        """Changes with the Space's secret: another one ends all sessions."""
        return hmac.new(self.key, account.name.encode(), hashlib.sha256).hexdigest()


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


def hub_login_router(accounts: HubAccounts) -> APIRouter:
    """`/login`, `/login/hub`, `/login/callback` and `/logout`."""
    routes = APIRouter(route_class=FormRoute)
    add_common(routes, accounts)

    @routes.get("/login")
    def show() -> HTMLResponse:
        return page("hub_login", said="")

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
            return page("hub_login", 400, said="The login was interrupted. Try again.")
        return _enter(accounts, request, code)

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


def _enter(accounts: HubAccounts, request: Request, code: str) -> Response:
    from httpx import HTTPError

    try:
        name = _name(accounts, code)
    except (HTTPError, ValueError, KeyError) as error:
        strangers.error("Hugging Face did not confirm a login: %s", error, exc_info=error)
        said = "Hugging Face did not confirm who you are. Try again."
        return page("hub_login", 502, said=said)
    account = accounts.account(name)
    if account is None:
        said = f"{name} may not use this studio. Ask its owner to add that name."
        return page("hub_login", 403, said=said)
    answer = enter(accounts, request, account)
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
