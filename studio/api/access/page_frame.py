"""The pages around the studio (login, invitation, accounts) and their common parts.

They are HTML files in assets/access, filled by Jinja, which escapes every value; no script runs
in them.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from studio.core.errors import BusyError, InputError, StudioError
from studio.core.local_time import minute
from studio.core.logs import log_told, strangers
from studio.core.paths import ACCESS
from studio.core.plurals import counted

POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"),
            ("Safari", "Safari"), ("python", "a program"), ("curl", "a program"))  # fmt: skip
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
           ("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip


@cache
def _templates() -> Environment:
    found = Environment(loader=FileSystemLoader(ACCESS), autoescape=True, undefined=StrictUndefined)
    found.filters["when"] = minute
    found.filters["ago"] = ago
    return found


def page(template: str, status: int = 200, *, alone: bool = False, **values: Any) -> HTMLResponse:
    """Return the page of this template.

    Args:
        alone: It is never shown inside another page, not even on a Space.
    """
    text = _templates().get_template(f"{template}.html").render(**values)
    policy = f"{POLICY}; frame-ancestors 'none'" if alone else POLICY
    return HTMLResponse(
        text, status, {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    )


def refused_page(status: int, message: str, remedy: str) -> HTMLResponse:
    """The page that says why there is no other; it has its style with it, whoever may ask for it."""
    to_log_in = status == 401
    text = (
        _templates()
        .get_template("refused.html")
        .render(message=message, remedy=remedy, to_log_in=to_log_in, style=Markup(_style()))
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers)


def _style() -> str:
    return (ACCESS / "access.css").read_text(encoding="utf-8")


def styles() -> Response:
    """Return the style sheet of all of them."""
    text = _style()
    return Response(text, media_type="text/css", headers={"Cache-Control": "no-cache"})


def problems(error: StudioError, default: str = "", *, stranger: bool = False) -> dict[str, str]:
    """Return what is wrong, by the field it stands beside; under `""` what belongs to none.

    Args:
        stranger: Nobody has let in who is told: what they do wrong fills no log.
    """
    if stranger and isinstance(error, InputError | BusyError):
        strangers.info("Told somebody without a login: %s", error.message)
    elif stranger:
        strangers.error("Told somebody without a login: %s", error, exc_info=error)
    else:
        log_told(error)
    sentence = f"{error.message} {error.remedy}".strip()
    return {error.field or default: sentence}


def browser_of(request: Request) -> str:
    """Return what a person would call the browser of a request: "Firefox on Linux"."""
    agent = request.headers.get("user-agent", "")
    kind = next((name for word, name in BROWSERS if word in agent), "a browser")
    system = next((name for word, name in SYSTEMS if word in agent), "")
    return f"{kind} on {system}" if system else kind


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else ""


def is_https(request: Request) -> bool:
    """Return whether the browser reached the studio encrypted, itself or through a proxy."""
    said = request.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return request.url.scheme == "https" or said == "https"


def ago(at: float) -> str:
    """Return how long ago, roughly."""
    passed = time.time() - at
    if passed < 300:  # a session does not note every request
        return "less than 5 minutes ago"
    if passed < 7200:
        return f"{counted(int(passed / 60), 'minute')} ago"
    if passed < 172_800:
        return f"{counted(int(passed / 3600), 'hour')} ago"
    return f"{counted(int(passed / 86_400), 'day')} ago"
