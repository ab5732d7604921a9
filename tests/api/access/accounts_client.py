"""People in the browser of a studio with accounts."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

LOCAL = "http://127.0.0.1:7860"


NEW = "seven odd socks"


def client(app, name: str = "", password: str = "") -> TestClient:
    found = TestClient(app, base_url=LOCAL, follow_redirects=False)
    if name:
        data = {"name": name, "password": password or f"password of {name}"}
        assert found.post("/login", data=data).status_code == 303
    return found


def link_in(page: str) -> str:
    return re.search(r"http://127\.0\.0\.1:7860(/invite/[\w-]+)", page)[1]


def logged(context) -> list[tuple[str, str, str]]:
    return [(line.who, line.action, line.what) for line in context.store.team.log(limit=5)]


def guessed(app, name: str) -> None:
    """Somebody guesses at a name from the same address until they have to wait."""
    stranger = client(app)
    while (
        stranger.post("/login", data={"name": name, "password": "a wrong guess"}).status_code != 429
    ):
        continue
