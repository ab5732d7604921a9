"""Logging in and out."""

from __future__ import annotations

import pytest

from studio.api.access import passwords
from studio.api.access.accounts import COOKIE
from studio.api.access.login_throttle import FREE
from tests.api.access.accounts_client import LOCAL, NEW, client

pytestmark = pytest.mark.usefixtures("as_before")


def test_a_cookie_from_before_the_login_is_not_taken_over(app, context):
    ana = client(app)
    ana.cookies.set(COOKIE, "chosen-by-somebody-else")
    ana.post("/login", data={"name": "ana", "password": "password of ana"})
    assert context.accounts.of_cookie("chosen-by-somebody-else") is None
    cookies = [one.value for one in ana.cookies.jar if one.name == COOKIE]
    assert "ana" in [found.name for one in cookies if (found := context.accounts.of_cookie(one))]


def test_logging_out_kills_the_cookie_also_where_it_was_copied(app):
    ana, thief = client(app, "ana"), client(app)
    thief.cookies.set(COOKIE, ana.cookies[COOKIE])
    assert thief.get("/account").status_code == 200
    assert ana.post("/logout").headers["location"] == "/login"
    assert thief.get("/account").headers["location"] == "/login"
    assert (
        thief.post("/studio/annotate/next", json={}, headers={"X-Studio": "1"}).status_code == 401
    )


def test_a_link_elsewhere_logs_nobody_out(app):
    ana = client(app, "ana")
    foreign = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert 'method="post" action="/logout"' in ana.get("/logout", headers=foreign).text
    assert "set-cookie" not in client(app).get("/logout").headers
    assert ana.get("/account").status_code == 200


def test_over_plain_http_only_a_link_of_the_studio_logs_out(app):
    """There a browser says of a link's page no more than the address, and not always that."""
    ana = client(app, "ana")
    for told in (
        {},
        {"referer": "http://127.0.0.1:8080/"},
        {"referer": "http://evil.example/?http://127.0.0.1:7860/"},
        {"referer": "http://[oops/"},
        {"referer": "http://127.0.0.1:7860/", "sec-fetch-site": "same-site"},
    ):
        answer = ana.get("/logout", headers=told)
        assert answer.status_code in (200, 403) and "set-cookie" not in answer.headers, told
    assert 'method="post" action="/logout"' in ana.get("/logout").text
    own = {"referer": f"{LOCAL}/annotate/"}
    assert ana.head("/logout", headers=own).status_code == 200  # asked for, and not done
    assert ana.get("/account").status_code == 200
    assert ana.get("/logout", headers=own).headers["location"] == "/login"
    assert ana.get("/account").headers["location"] == "/login"


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_browser_that_says_the_link_is_the_studio_s_is_logged_out_at_once(app, site):
    ana = client(app, "ana")
    assert ana.get("/logout", headers={"sec-fetch-site": site}).status_code == 303
    assert ana.get("/account").headers["location"] == "/login"


def test_a_login_replaces_the_session_of_the_same_browser(app, context):
    ana = client(app, "ana")
    before = ana.cookies[COOKIE]
    ana.post("/login", data={"name": "ben", "password": "password of ben"})
    assert context.accounts.of_cookie(before) is None
    assert context.accounts.of_cookie(ana.cookies[COOKIE]).name == "ben"


def test_a_known_browser_gets_in_while_somebody_guesses(app):
    ana = client(app, "ana")
    ana.post("/logout")
    stranger = client(app)
    for _ in range(8):
        guessed = stranger.post("/login", data={"name": "ana", "password": "a wrong guess"})
    assert guessed.status_code == 429 and "Wait" in guessed.text and 'value="ana"' in guessed.text
    data = {"name": "ana", "password": "password of ana"}
    assert stranger.post("/login", data=data).status_code == 429
    assert ana.post("/login", data=data).status_code == 303


def test_an_attempt_that_nobody_had_time_for_does_not_count(app, monkeypatch):
    ben = client(app, "ben")
    data = {"current": "password of ben", "password": NEW, "again": NEW}
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "WAITING_KNOWN", 0)
        for _ in range(FREE["session"] + 3):
            assert ben.post("/account/password", data=data).status_code == 503
    assert ben.post("/account/password", data=data).status_code == 303
