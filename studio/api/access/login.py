"""Logging in and out with a name and a password."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from studio.api.access import passwords
from studio.api.access.accounts import (
    COOKIE,
    DEVICE,
    DEVICE_SECONDS,
    SESSION_SECONDS,
    Account,
    Accounts,
)
from studio.api.access.host_names import is_own_link
from studio.api.access.page_frame import address_of, browser_of, is_https, page, styles
from studio.api.access.request_checks import FormRoute
from studio.api.access.rules import HOME
from studio.core.errors import BusyError, InputError

LONGEST_NAME = 64
RETRY = {"Retry-After": "5"}
Text = Annotated[str, Form()]


def health_router() -> APIRouter:
    """`/health`, for whatever watches over the studio; it tells nothing else."""
    routes = APIRouter(route_class=FormRoute)

    @routes.get("/health")
    async def health() -> PlainTextResponse:
        return PlainTextResponse("ok", headers={"Cache-Control": "no-store"})

    return routes


def login_router(accounts: Accounts) -> APIRouter:
    """`/login` and `/logout`."""
    routes = APIRouter(route_class=FormRoute)
    add_common(routes, accounts)

    @routes.get("/login")
    def show() -> HTMLResponse:
        return _page()

    @routes.post("/login")
    async def log_in(request: Request, name: Text = "", password: Text = "") -> Response:
        return await _log_in(accounts, request, name.strip(), password)

    return routes


def add_common(routes: APIRouter, accounts: Accounts) -> None:
    """What every kind of login has: its style, and the way out."""

    @routes.get("/login/access.css")
    def style() -> Response:
        return styles()

    @routes.get("/logout")
    def ask(request: Request) -> Response:
        """End the session where a link of the studio is followed, else ask whether to."""
        if not is_own_link(request):  # whose link it is, the cookie does not come along
            return page("logout")
        if accounts.session_of(request) is None:
            return RedirectResponse("/login", 303)
        return log_out(request) if request.method == "GET" else page("logout")

    @routes.post("/logout")
    def log_out(request: Request) -> RedirectResponse:
        answer = RedirectResponse("/login", 303)
        session = accounts.session_of(request)
        if session is not None:  # a link on another site sends no cookie, and ends nothing
            accounts.sessions.end(session.id)
            answer.delete_cookie(COOKIE, **flags(request, accounts.in_a_frame))
        return answer


def flags(request: Request, in_a_frame: bool) -> dict[str, Any]:
    """Return how a cookie is set: no script reads it, and only the studio's own page sends it."""
    if in_a_frame:
        return {"httponly": True, "secure": True, "samesite": "none"}
    return {"httponly": True, "secure": is_https(request), "samesite": "strict"}


def enter(accounts: Accounts, request: Request, account: Account) -> RedirectResponse:
    """Start a session, and send the browser to where this person works."""
    before = accounts.session_of(request)
    if before is not None:
        accounts.sessions.end(before.id)
    cookie = accounts.cookie(account, browser_of(request), address_of(request))
    answer = RedirectResponse(HOME[account.role], 303)
    how = flags(request, accounts.in_a_frame)
    answer.set_cookie(COOKIE, cookie, max_age=SESSION_SECONDS, **how)
    return answer


def remember(accounts: Accounts, request: Request, name: str, answer: Response) -> None:
    """Mark a browser as one in which this person has proved who they are.

    Whoever guesses at their password elsewhere cannot keep it waiting then.
    """
    how, kept = flags(request, accounts.in_a_frame), accounts.device_cookie(name)
    answer.set_cookie(device_name(name), kept, max_age=DEVICE_SECONDS, **how)


def device_name(name: str) -> str:
    """Return the cookie that tells that somebody has logged in here before; several people may."""
    return f"{DEVICE}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


async def _log_in(accounts: Accounts, request: Request, name: str, password: str) -> Response:
    if not name or not password:
        missing = {} if name else {"name": "Write your name."}
        if not password:
            missing["password"] = "Write your password."
        return _page(name, missing, 422)
    if len(name) > LONGEST_NAME or len(password) > passwords.LONGEST:
        return _page(name[:LONGEST_NAME], {"": "Name and password do not fit."}, 401)
    client, device = address_of(request), request.cookies.get(device_name(name), "")
    try:
        accounts.attempt(name, client, device)
        known = bool(accounts.known_device(name, device))
        account = await accounts.pool.run(accounts.verify, name, password, known=known)
    except InputError as error:
        return _page(name, {"": f"{error.message} {error.remedy}"}, 429)
    except BusyError as error:
        accounts.throttle.take_back(name, client, accounts.known_device(name, device))
        return _page(name, {"": f"{error.message} {error.remedy}"}, 503)
    if account is None:
        return _page(name, {"": "Name and password do not fit."}, 401)
    accounts.succeeded(name, client, device)
    answer = await run_in_threadpool(enter, accounts, request, account)
    remember(accounts, request, account.name, answer)
    return answer


def _page(
    name: str = "", problems: dict[str, str] | None = None, status: int = 200
) -> HTMLResponse:
    answer = page("login", status, alone=True, name=name, problems=problems or {})
    if status in (429, 503):
        answer.headers.update(RETRY)
    return answer


def only(accounts: Accounts, *roles: str) -> Callable[[Request], str | None]:
    """Gradio's `auth_dependency`: the name of whoever may see the page."""

    def name(request: Request) -> str | None:
        account = accounts.of_request(request)
        return account.name if account is not None and account.role in roles else None

    return name
