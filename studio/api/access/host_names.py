"""The host names and origins that the studio answers to, and takes for its own.

Without logins the host must be one that no foreign name server can point here.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from functools import cache
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.requests import HTTPConnection


def is_own_link(request: Request) -> bool:
    """Whether a page of the studio, or the person alone, makes the browser ask for an address.

    A browser says so by itself only where the studio is reached encrypted, or on its own machine;
    elsewhere the page that a link was on is what it tells.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    try:
        page = urlsplit(request.headers.get("referer", "")).netloc.lower()
    except ValueError:  # brackets that are no address
        return False
    return page in _hosts(request)


def is_own_origin(request: HTTPConnection) -> bool:
    """Return whether a request comes from the studio's own page, or from no page at all."""
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() in _hosts(request)


def check_host(request: HTTPConnection) -> None:
    """Dependency of routes without logins: the host is this machine, not a stranger's name."""
    said = request.headers.get("host", "")
    try:
        host = urlsplit(f"//{said}").hostname or ""
    except ValueError:  # brackets that are no address
        raise HTTPException(400, f"{said!r} is no name of a host.") from None
    if not (_is_address(host) or host == "localhost" or host in own_names()):
        raise HTTPException(
            403, f"The studio does not answer to {host!r}; add it to STUDIO_HOSTS if it is yours."
        )


async def own_host(request: Request) -> None:
    """`check_host` as a dependency that needs no thread."""
    check_host(request)


@cache
def own_names() -> frozenset[str]:
    """Names of this machine, of the Space it runs in, and those in STUDIO_HOSTS (commas)."""
    name = socket.gethostname().lower()
    listed = f"{os.environ.get('STUDIO_HOSTS', '')},{os.environ.get('SPACE_HOST', '')}"
    names = {part.strip().lower() for part in listed.split(",")} - {""}
    return frozenset(names | {name, f"{name}.local", f"{name}.lan"})


def names_are_given() -> bool:
    """Return whether somebody has said under which names the studio is reached."""
    return bool(os.environ.get("STUDIO_HOSTS", "").strip())


def _hosts(request: HTTPConnection) -> set[str]:
    # A page cannot make a browser send the second without asking first, which is refused.
    named = (request.headers.get("host", ""), request.headers.get("x-forwarded-host", ""))
    return {host.lower() for host in named} - {""}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
