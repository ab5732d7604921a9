"""Whose page a request comes from, and whether that person is still the one logged in.

All pages of a browser share one login. Somebody who logs in in a second tab changes who the first
tab's requests are made by, without its page knowing: its answers would be saved under another's
name. So a page names its user with every request (assets/connection.js), a request of somebody
else's page is refused, and the studio's answers say who is logged in. An account that was removed and
made again has the name of the one before, and another id: it is somebody else.
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
ACCOUNT = "x-studio-account"
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
        found = self._who(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        name, account = found
        if _TELLS.match(scope["path"]):
            send = _telling(send, name, account)
        headers = Request(scope).headers
        meant, answer = unquote(headers.get(HEADER, quote(name))), None
        if meant != name:
            answer = _refusal(meant, name)
        elif unquote(headers.get(ACCOUNT, quote(account))) != account:
            answer = _refusal(f"an earlier account called {name}", name)
        await (answer or self.app)(scope, receive, send)

    def _who(self, scope: Scope) -> tuple[str, str] | None:
        """Name and account of whoever is logged in; None when nobody is."""
        if scope["type"] != "http":
            return None
        if self.accounts is None:
            return LOCAL_USER, ""
        account = self.accounts.of_request(Request(scope))
        return account and (account.name, account.id)


def _telling(send: Send, name: str, account: str) -> Send:
    """`send` with the name and the account of whoever is logged in among the headers."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers[HEADER] = quote(name, safe="")
            headers[ACCOUNT] = quote(account, safe="")
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
