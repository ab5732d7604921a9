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

from studio.core.errors import BusyError, InputError, StudioError
from studio.core.logs import log_told, strangers
from studio.core.paths import ACCESS

POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"),
            ("Safari", "Safari"), ("python", "a program"), ("curl", "a program"))  # fmt: skip
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
           ("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip


@cache
def _templates() -> Environment:
    found = Environment(loader=FileSystemLoader(ACCESS), autoescape=True, undefined=StrictUndefined)
    found.filters["when"] = when
    found.filters["ago"] = ago
    return found


def page(template: str, status: int = 200, *, alone: bool = False, **values: Any) -> HTMLResponse:
    """The page of this template.

    Args:
        alone: It is never shown inside another page, not even on a Space.
    """
    text = _templates().get_template(f"{template}.html").render(**values)
    policy = f"{POLICY}; frame-ancestors 'none'" if alone else POLICY
    return HTMLResponse(
        text, status, {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    )


def styles() -> Response:
    """The style sheet of all of them."""
    text = (ACCESS / "access.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css", headers={"Cache-Control": "no-cache"})


def problems(error: StudioError, default: str = "", *, stranger: bool = False) -> dict[str, str]:
    """What is wrong, by the field it stands beside; under `""` what belongs to none.

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
    """What a person would call the browser of a request: "Firefox on Linux"."""
    agent = request.headers.get("user-agent", "")
    kind = next((name for word, name in BROWSERS if word in agent), "a browser")
    system = next((name for word, name in SYSTEMS if word in agent), "")
    return f"{kind} on {system}" if system else kind


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def is_https(request: Request) -> bool:
    """Whether the browser reached the studio encrypted, itself or through a proxy."""
    said = request.headers.get("x-forwarded-proto", "").split(",")[0].strip()
    return request.url.scheme == "https" or said == "https"


def when(at: float) -> str:
    """A time as a date: "2026-05-03 14:05"."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def ago(at: float) -> str:
    """How long ago, roughly."""
    passed = time.time() - at
    if passed < 600:
        return "a few minutes ago"
    if passed < 7200:
        return f"{passed / 60:.0f} minutes ago"
    return (
        f"{passed / 3600:.0f} hours ago" if passed < 172_800 else f"{passed / 86_400:.0f} days ago"
    )
