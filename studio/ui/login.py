"""The login page and the gate in front of every page."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import InputError
from studio.ui.auth import COOKIE, SESSION_SECONDS, Account, Accounts
from studio.ui.guard import check_host

ANNOTATE = "/annotate"
HOME = {"lead": "/", "annotator": f"{ANNOTATE}/"}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>VLM Studio</title>
<style>:root{{color-scheme:light dark}}body{{font:14px system-ui,sans-serif;display:grid;
place-items:center;min-height:100vh;margin:0;background:light-dark(#f7f7fa,#101116);
color:light-dark(#1b1c22,#ececf2)}}form{{display:grid;gap:12px;width:min(300px,86vw)}}
h1{{font-size:20px;margin:0 0 8px}}label{{display:grid;gap:4px;font-weight:600}}
input,button{{font:inherit;padding:9px 10px;border-radius:8px;border:1px solid
light-dark(#cdced8,#3d404e);background:light-dark(#fff,#1d1f27);color:inherit}}
button{{background:#4f46e5;border-color:#4f46e5;color:#fff;font-weight:600;cursor:pointer}}
p{{margin:0;color:light-dark(#b42318,#f58a80)}}</style>
<form method="post" action="login"><h1>VLM Studio</h1>{problem}
<label>Name<input name="name" value="{name}" autocomplete="username" required{name_focus}></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required
{password_focus}></label><button>Log in</button></form></html>"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def login_router(accounts: Accounts) -> APIRouter:
    """`/login` and `/logout`."""
    routes = APIRouter()

    @routes.get("/login")
    def show() -> HTMLResponse:
        return _page()

    @routes.post("/login")
    def log_in(
        request: Request,
        name: Annotated[str, Form(max_length=64)],
        password: Annotated[str, Form(max_length=1024)],
    ) -> Response:
        return _log_in(accounts, request, name, password)

    @routes.get("/logout")
    def log_out() -> RedirectResponse:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    return routes


def _log_in(accounts: Accounts, request: Request, name: str, password: str) -> Response:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return _page(name, "Another site cannot log in here.", 403)
    client = request.client.host if request.client else ""
    try:
        account = accounts.check(name, password, client)
    except InputError as error:
        return _page(name, str(error), 429)
    if account is None:
        return _page(name, "Name and password do not fit.", 401)
    answer = RedirectResponse(HOME[account.role], 303)
    answer.set_cookie(
        COOKIE,
        accounts.cookie(account),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _page(name: str = "", problem: str = "", status: int = 200) -> HTMLResponse:
    page = PAGE.format(
        problem=f'<p role="alert">{escape(problem)}</p>' if problem else "",
        name=escape(name),
        name_focus="" if name else " autofocus",
        password_focus=" autofocus" if name else "",
    )
    return HTMLResponse(page, status, HEADERS)


def only(accounts: Accounts, *roles: str) -> Callable[[Request], str | None]:
    """Gradio's `auth_dependency`: the name of whoever may see the page."""

    def name(request: Request) -> str | None:
        account = accounts.of_request(request)
        return account.name if account is not None and account.role in roles else None

    return name


class Gate:
    """Sends people without a session to the login page, and annotators to their own page.

    Without accounts it only refuses hosts that are not this machine's, so that a page of another
    site cannot reach the studio through a name it controls.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts | None) -> None:
        self.app = app
        self.accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        request = Request(scope)
        if self.accounts is None:
            return _host_problem(request)
        if request.method != "GET" or request.url.path not in ("/", ANNOTATE, HOME["annotator"]):
            return None
        account: Account | None = self.accounts.of_request(request)
        if account is None:
            return RedirectResponse("/login", 303)
        if account.role == "annotator" and request.url.path == "/":
            return RedirectResponse(HOME["annotator"], 303)
        return None


def _host_problem(request: Request) -> Response | None:
    try:
        check_host(request)
    except HTTPException as error:
        return PlainTextResponse(str(error.detail), error.status_code)
    return None
