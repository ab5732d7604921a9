"""Refusals: a page for whoever opens an address, JSON for scripts."""

from __future__ import annotations

import httpx
import pytest

from tests.api.access.guarded_site import (
    OPENS,
)


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        (
            "/accounts/remove",
            "POST",
            {"sec-fetch-site": "cross-site", "origin": "http://x.org"},
            403,
        ),
        ("/gradio_api/info", "GET", {}, 401),
        ("/no/such/page", "GET", {}, 401),
        ("/studio/exports/none.zip", "GET", {}, 401),
        ("/account/password", "POST", {}, 401),
        ("/accounts", "POST", {}, 401),
    ],
)
def test_what_a_browser_opens_answers_with_a_page(guarded, path, method, headers, status):
    for shown in (OPENS | headers, {"accept": "text/html,application/xhtml+xml", **headers}):
        answer = httpx.request(method, guarded.rstrip("/") + path, headers=shown)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert "<h1>" in answer.text and "{" not in answer.text.split("</style>")[1]
    script = httpx.request(method, guarded.rstrip("/") + path, headers=headers)
    assert script.headers["content-type"].startswith("application/json")
