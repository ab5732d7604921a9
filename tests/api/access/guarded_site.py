"""Sessions of people on a served studio with accounts."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing

import httpx
import psutil

GROWTH = 80 << 20


JOIN = "/gradio_api/queue/join"


def session(address: str, name: str) -> AbstractContextManager[httpx.Client]:
    """A client that is logged in; closed when the block ends."""
    site = httpx.Client(base_url=address, timeout=60, headers={"X-Studio": "1"})
    site.post("/login", data={"name": name, "password": f"password of {name}"})
    return closing(site)


def session_of_lea(address: str) -> AbstractContextManager[httpx.Client]:
    """One login for many questions."""
    if address not in KNOWN:
        KNOWN[address] = cookie(address, "lea").partition(": ")[2]
    return httpx.Client(base_url=address, timeout=60, headers={"Cookie": KNOWN[address]})


KNOWN: dict[str, str] = {}


def cookie(address: str, name: str) -> str:
    with session(address, name) as site:
        return f"Cookie: studio_session={site.cookies['studio_session']}"


def grown(before: int) -> int:
    return psutil.Process().memory_info().rss - before


OPENS = {
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}
