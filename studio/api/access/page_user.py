"""Whose page a request comes from, and whether that person is still the one logged in.

All pages of a browser share one login. Somebody who logs in in a second tab changes who the first
tab's requests are made by, without its page knowing: its answers would be saved under another's
name. So a page names its user with every request (assets/connection.js), a request of somebody
else's page is refused, and the studio's answers say who is logged in.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.access.accounts import Accounts
from studio.api.context import LOCAL_USER

HEADER = "x-studio-user"
FIELD = "user"
# Images are kept by the browser for a year: what they say of the login would be old.
_TELLS = re.compile(r"(/annotate)?/studio/(?!images/|thumbs/)")


class PageUser:
    """Middleware that refuses requests of another person's page.

    Args:
        accounts: Who may log in; None when the studio is used without logins.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts | None) -> None:
        self.app = app
        self.accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = self._name(scope)
        if name is None:
            await self.app(scope, receive, send)
            return
        if _TELLS.match(scope["path"]):
            send = _telling(send, name)
        meant = Request(scope).headers.get(HEADER)
        answer = None if meant is None or unquote(meant) == name else _refusal(unquote(meant), name)
        await (answer or self.app)(scope, receive, send)

    def _name(self, scope: Scope) -> str | None:
        """Who is logged in; None when nobody is."""
        if scope["type"] != "http":
            return None
        if self.accounts is None:
            return LOCAL_USER
        account = self.accounts.of_request(Request(scope))
        return account and account.name


def _telling(send: Send, name: str) -> Send:
    """`send` with the name of whoever is logged in among the headers."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers[HEADER] = quote(name, safe="")
            headers.setdefault("cache-control", "no-store")
            message = {**message, "headers": headers.raw}
        await send(message)

    return told


def _refusal(meant: str, name: str) -> JSONResponse:
    message = f"This page belongs to {meant}, and {name} is logged in now. Nothing was changed."
    remedy = (
        f"Reload the page to go on as {name}. What {meant} answered and was not saved yet stays "
        f"in this browser until {meant} logs in again."
    )
    said = {"message": message, "remedy": remedy, "field": FIELD, "user": name}
    return JSONResponse({**said, "detail": f"{message} {remedy}"}, 409)
