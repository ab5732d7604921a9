"""Whose page a request comes from, and whether that person is still the one logged in.

All pages of a browser share one login. Somebody who logs in in a second tab changes who the first
tab's requests are made by, without its page knowing: its answers would be saved under another's
name. So a page names its user with every request (assets/web/shared/connection.js), a request of somebody
else's page is refused, and the studio's answers say who is logged in, and as what. An account that
was removed and made again has the name of the one before, and another id: it is somebody else.

They also name the start of the studio. What an open page has chosen lies in the memory of the
process that made it; after a restart its events mean something else, or nothing. So the page names
the start it was made by with its events, which are refused after another one, and loads itself again.
"""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple
from urllib.parse import quote, unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.access.accounts import Account, Accounts
from studio.api.access.refusals import refusal
from studio.api.context import LOCAL_USER

HEADER, ACCOUNT = "x-studio-user", "x-studio-account"
ROLE, START = "x-studio-role", "x-studio-start"
FIELD = "user"
# Images are kept by the browser for a year: what they say of the login would be old.
_TELLS = re.compile(r"(/annotate)?/studio/(?!images/|thumbs/)")
_EVENTS = re.compile(r"(/annotate)?/gradio_api/(queue/join|run/predict/?)")


class Asking(NamedTuple):
    """Who sends a request: name, id of the account (empty in old files), and role."""

    name: str
    account: str
    role: str


class PageUser:
    """Middleware that refuses requests of another person's page, or of another start's.

    Args:
        accounts: Who may log in; None when the studio is used without logins.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts | None) -> None:
        self.app = app
        self.accounts = accounts
        self.start = secrets.token_hex(8)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = self._asks(scope)
        if asks is None:
            await self.app(scope, receive, send)
            return
        headers = Request(scope).headers
        meant = unquote(headers.get(HEADER, quote(asks.name)))
        account = unquote(headers.get(ACCOUNT, quote(asks.account)))
        answer: ASGIApp = self.app
        if meant != asks.name:
            answer = _refusal(meant, asks.name)
        elif account != asks.account:
            answer = _refusal(f"an earlier account called {asks.name}", asks.name)
        elif _EVENTS.fullmatch(scope["path"]) and headers.get(START, self.start) != self.start:
            answer = _restarted(self.start)
        if _TELLS.match(scope["path"]):
            said = {HEADER: quote(asks.name, safe=""), ACCOUNT: quote(asks.account, safe="")}
            send = _telling(send, {**said, ROLE: asks.role, START: self.start})
        await answer(scope, receive, send)

    def _asks(self, scope: Scope) -> Asking | None:
        """Return who is logged in; None when nobody is."""
        if scope["type"] != "http":
            return None
        if self.accounts is None:
            return Asking(LOCAL_USER, "", "lead")
        account: Account | None = self.accounts.of_request(Request(scope))
        return Asking(account.name, account.id, account.role) if account else None


def _telling(send: Send, said: dict[str, str]) -> Send:
    """`send` with what the page must know of its login among the headers."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.update(said)
            headers.setdefault("cache-control", "no-store")
            message = {**message, "headers": headers.raw}
        await send(message)

    return told


def _restarted(start: str) -> JSONResponse:
    message = "The studio was restarted after this page was loaded. Nothing was changed."
    answer = refusal(409, message, "The page loads again; what you typed in it is kept.")
    answer.headers[START] = start
    return answer


def _refusal(meant: str, name: str) -> JSONResponse:
    message = f"This page belongs to {meant}, and {name} is logged in now. Nothing was changed."
    remedy = (
        f"Reload the page to go on as {name}. What {meant} answered and was not saved yet stays "
        f"in this browser until {meant} logs in again."
    )
    return refusal(409, message, remedy, FIELD, user=name)
