"""What strangers, other sites and annotators try, over real connections."""

from __future__ import annotations

import httpx
import psutil
import pytest

from studio.api import connection_limits
from studio.api.access import gate
from studio.api.access.rules import ANNOTATE
from tests.api.access.guarded_site import (
    GROWTH,
    JOIN,
    OPENS,
    cookie,
    grown,
    session,
    session_of_lea,
)
from tests.ui.raw_http import answer, connected, head

CHANGES = (
    "/login", "/account/password", "/account/end", "/accounts/invite", "/accounts/role",
    f"/invite/{'x' * 24}", "/studio/annotate/save", "/studio/annotate/next", "/studio/annotate/undo",
    "/studio/annotate/leave", "/studio/annotate/gold", "/studio/team/decide", "/studio/team/gold",
    "/annotate/studio/annotate/save", JOIN, "/gradio_api/run/predict", "/gradio_api/cancel",
    "/gradio_api/reset", f"{ANNOTATE}{JOIN}", "/gradio_api/upload",
)  # fmt: skip


def test_annotate_is_found_without_its_slash(guarded):
    with session(guarded, "ana") as ana, httpx.Client(base_url=guarded) as stranger:
        answered = ana.get(ANNOTATE)
        assert (answered.status_code, answered.headers["location"]) == (303, f"{ANNOTATE}/")
        assert stranger.get(ANNOTATE).headers["location"] == "/login"


def test_first_lines_have_an_end(guarded):
    before = psutil.Process().memory_info().rss
    for flood in (b"X: y\r\n" * 50_000, b"X: " + b"y" * (64 << 20)):
        with connected(guarded) as line:
            line.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
            try:
                line.sendall(flood)
            except ConnectionError:
                continue
            assert "200 OK" not in answer(line)
    assert grown(before) < GROWTH


def test_headers_are_few(guarded):
    many = {f"x-{number}": "y" for number in range(gate.MOST_HEADERS)}
    assert httpx.get(f"{guarded}health", headers=many).status_code == 431
    assert httpx.get(f"{guarded}health", headers=dict(list(many.items())[:50])).text == "ok"


def test_who_never_ends_the_first_lines_is_cut_off(open_to_all, monkeypatch):
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 0.2)
    with connected(open_to_all) as silent, connected(open_to_all) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
        assert silent.recv(10) == b"" and slow.recv(10) == b""


def test_there_are_no_web_sockets(open_to_all):
    with connected(open_to_all) as line:
        asks = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        line.sendall(
            head(open_to_all, "GET", "/", *asks, "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==")
        )
        assert not answer(line).startswith("HTTP/1.1 101")


@pytest.mark.parametrize(
    "told",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {
            "sec-fetch-site": "cross-site",
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
        },
    ],
)
def test_a_foreign_page_changes_nothing(open_to_all, guarded, told):
    for address, path in ((open_to_all, "/gradio_api/upload"), (open_to_all, JOIN),
                          (open_to_all, "/gradio_api/run/predict"), (guarded, "/login"),
                          (guarded, "/logout"), (guarded, "/accounts/remove")):  # fmt: skip
        answered = httpx.post(address.rstrip("/") + path, headers=told, files={"files": b"x"})
        assert answered.status_code == 403, path
        assert "Another site" in answered.text


def test_logged_in_is_not_allowed_in(guarded):
    """What nobody may ask for stays closed to leads, and the lead's to annotators."""
    closed = ("/openapi.json", "/gradio_api/info", "/gradio_api/deep_link?session_hash=x",
              "/gradio_api/dev/reload", "/gradio_api/proxy=http://localhost/", "/monitoring",
              "/gradio_api/openapi.json", "/gradio_api/runs", "/gradio_api/token")  # fmt: skip
    with session(guarded, "ana") as ana, session(guarded, "lea") as lea:
        for path in closed:
            assert lea.get(path).status_code == 403, path
            for prefix in ("", ANNOTATE):
                assert ana.get(prefix + path).status_code == 403, path
        theirs = ("/config", "/accounts", "/studio/team/case", "/gradio_api/file=/etc/passwd")
        for path in theirs:
            assert ana.get(path).status_code == 403, path
        for prefix in ("", ANNOTATE):
            for path in (
                "/gradio_api/upload",
                "/gradio_api/call/x",
                "/gradio_api/component_server",
            ):
                sent = ana.post(prefix + path, files={"files": ("a.txt", b"x")})
                assert sent.status_code == 403, path


GARBAGE = (
    {"content": b"[" * 60_000, "headers": {"content-type": "application/json"}},
    {"content": b"\xff\xfe\xff", "headers": {"content-type": "application/json"}},
    {"content": b'{"data": ["\\ud800"], "key": "\\ud800"}', "headers": {"content-type": "application/json"}},
    {"content": b"&a=1" * 1_500, "headers": {"content-type": "application/x-www-form-urlencoded"}},
    {"content": b"name=%00&password=%ff&session=%00", "headers": {"content-type": "application/x-www-form-urlencoded"}},
    {"files": {"name": ("\x00", b"x"), "files": ("../../x", b"x")}},
)  # fmt: skip


@pytest.mark.parametrize("name", ["", "ana", "lea"])
def test_whatever_is_sent_to_any_route_is_no_error_of_the_studio(guarded, name):
    with httpx.Client(base_url=guarded, timeout=60, headers={"X-Studio": "1"}) as site:
        if name:
            site.headers["Cookie"] = cookie(guarded, name).partition(": ")[2]
        for path in CHANGES:
            for sent in GARBAGE:
                answer = site.post(path, **sent)
                assert answer.status_code < 500, (path, sent)


def test_head_says_what_get_says_and_sends_nothing(guarded):
    with session(guarded, "lea") as lea:
        for path in ("/health", "/login", "/login/access.css", "/account", "/accounts",
                     "/studio/pulse", "/studio/annotate/datasets", "/studio/images/x",
                     "/studio/runs/none/log.txt", "/", "/annotate/"):  # fmt: skip
            asked, read = lea.head(path), lea.get(path)
            assert asked.status_code == read.status_code, path
            assert asked.content == b"" and read.content, path
        assert lea.head("/health").headers["content-length"] == "2"
    assert httpx.head(f"{guarded}account").status_code == 303
    assert httpx.head(f"{guarded}studio/pulse").status_code == 401


NAMES = ("x" * 5000, "y" * 250, "y" * 256, "%00", "%2e%2e", "%2e%2e%2f%2e%2e%2fstudio.db", "%ff",
         "9" * 4000, "%5cx", "%2fetc%2fpasswd")  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/studio/runs/{}/log.txt", "/studio/runs/{}/metrics.csv", "/studio/runs/{}/train.py",
        "/studio/runs/{}/train.ipynb", "/studio/runs/{}/run.sbatch", "/studio/runs/{}/job",
        "/studio/images/{}", "/studio/thumbs/{}", "/studio/exports/{}.zip",
        "/studio/checks/report.json?dataset={}", "/studio/imports/{}/left-out.csv",
        "/studio/annotate/card/{}", "/studio/team/case/{}", "/invite/{}",
        "/studio/annotate/progress?dataset={}", "/studio/annotate/guidelines?dataset={}",
        "/gradio_api/file={}", "/gradio_api/file=/{}/x", "/assets/{}", "/static/{}",
        "/pwa_icon/{}",
    ],
)  # fmt: skip
def test_no_name_in_an_address_is_an_error_of_the_studio(guarded, path):
    """Whatever a path or a question is called, the answer is a refusal and no traceback."""
    with session_of_lea(guarded) as lea:
        for part in NAMES:
            for where in (path, ANNOTATE + path):
                answer = lea.get(where.format(part))
                refused = 400 <= answer.status_code < 500
                assert refused or (answer.status_code == 200 and "dataset=" in where), part
                assert "SQLite format" not in answer.text


def test_a_link_of_another_site_leads_to_a_page_that_asks(guarded):
    foreign = OPENS | {"sec-fetch-site": "cross-site"}
    asked = httpx.get(f"{guarded}logout", headers=foreign)
    assert asked.status_code == 200 and '<form method="post" action="/logout">' in asked.text
    with session_of_lea(guarded) as lea:
        assert lea.get("/logout", headers=foreign).status_code == 200
        assert lea.get("/account").status_code == 200
        image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert lea.get("/logout", headers=image).status_code == 403
        assert lea.get("/account").status_code == 200
