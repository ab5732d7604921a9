"""What strangers, other sites and annotators try, over real connections."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing

import httpx
import psutil
import pytest

from studio.api import connections
from studio.api.access import gate, passwords
from studio.api.access.accounts import Accounts, add_user
from studio.api.access.rules import ANNOTATE, EVENT, SMALL
from studio.api.context import close_context, open_context
from tests.ui.raw_http import answer, connected, head, poured
from tests.ui.serving import served

MANY = 250  # MB
GROWTH = 80 << 20
JOIN = "/gradio_api/queue/join"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gate")
    for name, role in (("lea", "lead"), ("lou", "lead"), ("ana", "annotator")):
        add_user(folder / "accounts.yaml", name, role, f"password of {name}")
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    with served(context, ("annotate", "team")) as address:
        yield address
    close_context(context)


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory) -> Iterator[str]:
    context = open_context(str(tmp_path_factory.mktemp("open") / "workspace"))
    with served(context, ("annotate",)) as address:
        yield address
    close_context(context)


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
CHANGES = (
    "/login", "/account/password", "/account/end", "/accounts/invite", "/accounts/role",
    f"/invite/{'x' * 24}", "/studio/annotate/save", "/studio/annotate/next", "/studio/annotate/undo",
    "/studio/annotate/leave", "/studio/annotate/gold", "/studio/team/decide", "/studio/team/gold",
    "/annotate/studio/annotate/save", JOIN, "/gradio_api/run/predict", "/gradio_api/cancel",
    "/gradio_api/reset", f"{ANNOTATE}{JOIN}", "/gradio_api/upload",
)  # fmt: skip


def cookie(address: str, name: str) -> str:
    with session(address, name) as site:
        return f"Cookie: studio_session={site.cookies['studio_session']}"


def grown(before: int) -> int:
    return psutil.Process().memory_info().rss - before


JSON = "Content-Type: application/json"


@pytest.mark.parametrize("path", [JOIN, "/gradio_api/reset", f"{ANNOTATE}{JOIN}", "/no/such/path"])
@pytest.mark.parametrize("how", [f"Content-Length: {MANY << 20}", "Transfer-Encoding: chunked"])
def test_a_stranger_is_refused_before_anything_is_read(guarded, path, how):
    before = psutil.Process().memory_info().rss
    with connected(guarded) as line:
        line.sendall(head(guarded, "POST", path, JSON, how))
        said = answer(line)  # nothing of the body was sent yet
        assert said.startswith("HTTP/1.1 401 ") and "Log in" in said
        poured(line, MANY, "chunked" in how)
    assert grown(before) < GROWTH


@pytest.mark.parametrize("how", [f"Content-Length: {MANY << 20}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("name", "path"),
    [("", "/login"), ("ana", f"{ANNOTATE}{JOIN}"), ("lea", JOIN), ("lea", "/studio/team/gold")],
)
def test_a_body_has_an_end_for_everybody(guarded, name, path, how):
    who = [cookie(guarded, name)] if name else []
    kind = JSON if name else "Content-Type: application/x-www-form-urlencoded"
    before = psutil.Process().memory_info().rss
    with connected(guarded) as line:
        line.sendall(head(guarded, "POST", path, kind, how, "X-Studio: 1", *who))
        if "chunked" in how:
            poured(line, (EVENT >> 20) + 1, chunked=True)
        said = answer(line)
        assert said.startswith(("HTTP/1.1 413 ", "HTTP/1.1 411 "))
        poured(line, MANY, "chunked" in how)
    assert grown(before) < GROWTH


def test_nothing_more_is_read_of_a_stranger_who_was_refused(guarded, monkeypatch):
    monkeypatch.setattr(gate, "LINGER_SECONDS", 600.0)
    form = "Content-Type: application/x-www-form-urlencoded"
    with connected(guarded) as line:
        line.sendall(head(guarded, "POST", "/login", form, "Transfer-Encoding: chunked"))
        line.sendall(b"4000\r\n" + b"a" * 0x4000 + b"\r\n")
        line.settimeout(30)
        got = b""
        with contextlib.suppress(ConnectionError):
            while piece := line.recv(65_536):  # until the studio ends the connection
                got += piece
    assert not got or got.startswith(b"HTTP/1.1 413 ")


def test_annotate_is_found_without_its_slash(guarded):
    with session(guarded, "ana") as ana, httpx.Client(base_url=guarded) as stranger:
        answered = ana.get(ANNOTATE)
        assert (answered.status_code, answered.headers["location"]) == (303, f"{ANNOTATE}/")
        assert stranger.get(ANNOTATE).headers["location"] == "/login"


def test_what_people_send_in_earnest_fits(guarded):
    with session(guarded, "lea") as site:
        body = {"data": ["x" * (EVENT // 2)], "fn_index": 100_000, "session_hash": "s"}
        answer = site.post(JOIN, json=body)
        assert answer.status_code == 422 and "no such function" in answer.text  # read to its end


def test_an_annotator_sends_gradio_little(guarded):
    """What an event says is kept by Gradio until somebody fetches it."""
    with session(guarded, "ana") as site:
        body = {"data": ["x" * SMALL], "fn_index": 0, "session_hash": "s"}
        assert site.post(f"{ANNOTATE}{JOIN}", json=body).status_code == 413


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
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    with connected(open_to_all) as silent, connected(open_to_all) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
        assert silent.recv(10) == b"" and slow.recv(10) == b""


def test_who_never_ends_the_body_is_cut_off(guarded, monkeypatch):
    monkeypatch.setattr(gate, "PIECE_SECONDS", 0.2)
    monkeypatch.setattr(gate, "LINGER_SECONDS", 0.2)
    with connected(guarded) as line:
        kind = "Content-Type: application/x-www-form-urlencoded"
        line.sendall(head(guarded, "POST", "/login", kind, "Content-Length: 20") + b"name=l")
        assert answer(line).startswith("HTTP/1.1 408 ")


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


def test_a_foreign_page_reads_and_frames_nothing(open_to_all, monkeypatch):
    site = httpx.Client(base_url=open_to_all)
    reads = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    assert site.get("/studio/annotate/datasets", headers=reads).status_code == 403
    framed = reads | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    assert site.get("/", headers=framed).status_code == 403
    opened = framed | {"sec-fetch-dest": "document"}
    assert site.get("/", headers=opened).status_code == 200
    page = site.get("/", headers={"origin": "http://evil.example"})
    assert not [name for name in page.headers if name.startswith("access-control")]
    asks = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    preflight = site.options(JOIN, headers=asks)
    assert preflight.status_code == 403
    assert not [name for name in preflight.headers if name.startswith("access-control")]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


def test_every_answer_carries_the_headers(guarded):
    with session(guarded, "lea") as site, httpx.Client(base_url=guarded) as stranger:
        for answered in (site.get("/"), site.get("/config"), site.get("/nothing"),
                         site.get("/account"), stranger.get("/login"), stranger.get("/health"),
                         stranger.post(JOIN, json={}), stranger.get("/")):  # fmt: skip
            headers = answered.headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "frame-ancestors" in headers["content-security-policy"]
            assert "server" not in headers


def test_scripts_run_by_name_only_and_nothing_comes_from_elsewhere(guarded):
    with session(guarded, "lea") as site:
        one, two = site.get("/"), site.get("/")
    policies = [answered.headers["content-security-policy"] for answered in (one, two)]
    assert policies[0] != policies[1]
    scripts = next(part for part in policies[0].split("; ") if part.startswith("script-src"))
    nonce = scripts.split("'nonce-")[1].split("'")[0]
    assert one.text.count("<script") == one.text.count(f'<script nonce="{nonce}"') > 3
    assert "'unsafe-inline'" not in scripts
    assert "http:" not in policies[0] and "https:" not in policies[0]


def test_a_space_may_be_shown_by_the_hub_and_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "lea/studio")
    context = open_context(str(tmp_path / "workspace"))
    with served(context, ("annotate",)) as address:
        framed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate",
                  "sec-fetch-dest": "iframe"}  # fmt: skip
        page = httpx.get(address, headers=framed)
        assert page.status_code == 200 and "x-frame-options" not in page.headers
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'self' https://huggingface.co" in policy
        foreign = {"origin": "https://huggingface.co", "sec-fetch-site": "cross-site"}
        assert httpx.post(f"{address}gradio_api/upload", headers=foreign).status_code == 403
    close_context(context)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[oops", ""])
def test_only_names_of_this_machine_are_answered_without_logins(open_to_all, host):
    for path in ("/", "/health", "/studio/pulse", "/config"):
        found = httpx.get(open_to_all.rstrip("/") + path, headers={"host": host})
        assert found.status_code in (400, 403), path


def test_names_that_were_given_hold_with_logins_too(guarded, monkeypatch):
    foreign = {"host": "evil.example"}
    assert httpx.get(f"{guarded}login", headers=foreign).status_code == 200
    monkeypatch.setenv("STUDIO_HOSTS", "studio.example")
    assert httpx.get(f"{guarded}login", headers=foreign).status_code == 403
    assert httpx.get(f"{guarded}login").status_code == 200


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


def test_a_flood_of_logins_leaves_the_studio_answering(guarded, monkeypatch):
    """Two passwords are checked at a time, some wait, the others are told so at once."""
    going, checked = threading.Event(), passwords.fits
    monkeypatch.setattr(passwords, "fits", lambda *given: going.wait(60) and checked(*given))
    answers: list[int] = []

    def guess(number: int) -> None:
        data = {"name": f"nobody-{number}", "password": "a guess of mine"}
        answers.append(httpx.post(f"{guarded}login", data=data, timeout=60).status_code)

    monkeypatch.setattr(
        "studio.api.access.login_throttle.FREE",
        dict.fromkeys(("pair", "device", "address", "name"), 999),
    )
    threads = [threading.Thread(target=guess, args=(number,)) for number in range(24)]
    for one in threads:
        one.start()
    try:
        while len(answers) < len(threads) - passwords.WAITING:
            assert httpx.get(f"{guarded}health", timeout=60).text == "ok"
        assert set(answers) == {503}
    finally:
        going.set()
        for one in threads:
            one.join()
    assert answers.count(401) == passwords.WAITING


def test_an_address_that_is_only_said_is_not_believed(guarded, monkeypatch):
    monkeypatch.setattr(
        "studio.api.access.login_throttle.FREE", {"pair": 2, "device": 9, "address": 99, "name": 99}
    )
    codes = [
        httpx.post(
            f"{guarded}login",
            data={"name": "lou", "password": "a guess"},
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
        ).status_code
        for number in range(4)
    ]
    assert codes == [401, 401, 429, 429]


OPENS = {
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


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
