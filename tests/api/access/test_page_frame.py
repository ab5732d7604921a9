"""What the pages around the studio say of browsers, times and problems."""

from __future__ import annotations

import logging

import pytest
from starlette.requests import Request

from studio.api.access.page_frame import browser_of, is_https, problems, refused_page
from studio.core.errors import InputError, RunFailedError


def request(scheme: str = "http", **headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"",
                    "scheme": scheme, "server": ("studio", 80), "headers": named})  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36 Edg/120.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1", "Safari on iPhone"),
        ("python-httpx/0.28", "a program"),
        ("<b>odd</b>", "a browser"),
    ],
)
def test_a_browser_is_named_as_people_call_it(agent, name):
    assert browser_of(request(user_agent=agent)) == name


def test_encrypted_is_also_what_only_the_proxy_is_reached_by():
    assert is_https(request("https"))
    assert is_https(request(x_forwarded_proto="https, http"))
    assert not is_https(request(x_forwarded_proto="http, https"))
    assert not is_https(request())


def test_what_a_stranger_does_wrong_fills_no_log_and_what_breaks_keeps_its_traceback(caplog):
    caplog.set_level(logging.INFO)
    wrong = InputError("No such name.", remedy="Try again.", field="name")
    assert problems(wrong, stranger=True) == {"name": "No such name. Try again."}
    broken = RunFailedError("The accounts cannot be read.", remedy="")
    assert problems(broken, "password", stranger=True) == {
        "password": "The accounts cannot be read."
    }
    quiet, loud = caplog.records
    assert (quiet.levelname, quiet.exc_info) == ("INFO", None)
    assert loud.levelname == "ERROR" and loud.exc_info


def test_a_refusal_s_page_offers_the_login_to_strangers_only_and_escapes_what_it_says():
    page = refused_page(401, "<i>No</i>", "Log in & go on.").body.decode()
    assert "/login" in page and "<i>" not in page and "Log in &amp; go on." in page
    assert "/login" not in refused_page(403, "No.", "Ask a lead.").body.decode()
