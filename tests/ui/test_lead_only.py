"""Whatever an annotator asks the server for by hand: nothing of the lead's is done or told.

The routes are those the application has, found here and not listed: a new one is refused or named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.testclient import TestClient

from studio.annotation import LabelEvent
from studio.api.access.accounts import Accounts, add_user
from studio.api.context import StudioContext, close_context, open_context
from studio.data.schema import Answer, Message, Part, Row
from studio.ui.shell.app import build_app
from tests.ui.app_routes import routes
from tests.ui.serving import served

LOCAL = "http://127.0.0.1:7860"
# What an annotator may ask for: their own page, images, logging in and out.
THEIRS = re.compile(
    r"(/annotate)?/studio/(annotate/|images/|thumbs/|pulse$)"
    r"|/log(in|out)$|/login/access\.css$|/health$|/invite/|/account(/|$)"
    r"|/annotate(/(?!studio)|$)"
)
# Gradio's own files; tests/api/access/test_rules.py says of each route whom it answers.
ANYBODY = re.compile(
    r"/(static|assets|pwa_icon|theme\.css|robots\.txt|favicon\.ico|manifest\.json)"
    r"|/gradio_api/theme\.css$|(/annotate)?/studio/web/"
)
REFUSED = (401, 403)


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Iterator[StudioContext]:
    folder = tmp_path_factory.mktemp("lead-only")
    file = folder / "accounts.yaml"
    add_user(file, "lea", "lead", "password of lea")
    add_user(file, "ana", "annotator", "password of ana")
    opened = open_context(str(folder / "workspace"), Accounts.load(file))
    prompts = [(Message("user", (Part("text", f"How many {n}?"),)),) for n in range(3)]
    answers = (Answer("one", "a"), Answer("two", "b"))
    rows = [Row(f"r{n}", (), prompt, candidates=answers) for n, prompt in enumerate(prompts)]
    opened.store.add_rows("charts", rows)
    card = opened.store.claim("ben")
    event = LabelEvent("key-of-ben", card.pair_id, "ben", "choose", card.left.candidate_id)
    opened.store.save(event)
    yield opened
    close_context(opened)


@pytest.fixture(scope="module")
def app(context):
    return build_app(context)


def logged_in(app, name: str) -> TestClient:
    client = TestClient(app, base_url=LOCAL, follow_redirects=False, headers={"X-Studio": "1"})
    client.post("/login", data={"name": name, "password": f"password of {name}"})
    return client


def test_every_route_is_the_annotator_s_or_refused(app):
    ana, lea = logged_in(app, "ana"), logged_in(app, "lea")
    asked = sorted({(method, path) for method, _, path in routes(app.routes)})
    kept = [one for one in asked if not THEIRS.match(one[1]) and not ANYBODY.match(one[1])]
    answers = {(method, path): status(ana, method, path) for method, path in kept}
    answers.pop(("GET", "/")), answers.pop(("HEAD", "/"))  # sent to their own page
    assert {one: code for one, code in answers.items() if code not in REFUSED} == {}
    paths = {path for _, path in kept}
    assert {"/studio/team/decide", "/studio/runs/r1/metrics.csv", "/gradio_api/queue/join",
            "/gradio_api/upload", "/annotate/studio/team/gold", "/config"} <= paths  # fmt: skip
    same = [one for one in answers if "/studio/" in one[1]]
    assert len(same) >= 12
    assert not [one for one in same if status(lea, *one) in REFUSED]


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://127.0.0.1:8080"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": LOCAL},
)


def test_another_site_s_page_changes_nothing_on_any_route(app):
    lea = logged_in(app, "lea")
    asked = sorted(
        {path for method, _, path in routes(app.routes) if method not in ("GET", "HEAD")}
    )
    assert len(asked) > 60
    let_in = [
        (path, told)
        for path in asked
        for told in FOREIGN
        if lea.post(path, json={}, headers=told).status_code != 403
    ]
    assert let_in == []
    assert lea.get("/account").status_code == 200  # nor was she logged out


def test_nor_where_there_are_no_logins(tmp_path):
    opened = open_context(str(tmp_path / "workspace"))
    app = build_app(opened)
    site = TestClient(app, base_url=LOCAL, headers={"X-Studio": "1"})
    asked = sorted({path for method, _, path in routes(app.routes) if method == "POST"})
    assert len(asked) > 30
    let_in = [
        (path, told)
        for path in asked
        for told in ({"origin": LOCAL, "host": "evil.example"}, *FOREIGN)
        if site.post(path, json={}, headers=told).status_code not in (400, 403)
    ]
    assert let_in == []
    close_context(opened)


def status(client: TestClient, method: str, path: str) -> int:
    body = {"prompt": "x", "code": "x", "hash": "x"} if method == "POST" else None
    return client.request(method, path, json=body).status_code


def functions(site: httpx.Client) -> list[dict]:
    """What the page of the annotators can run on the server."""
    found = site.get("/annotate/config").json()
    values = {part["id"]: part["props"].get("value") for part in found["components"]}
    return [
        one | {"data": [values[number] for number in one["inputs"]]}
        for one in found["dependencies"]
        if one["backend_fn"]
    ]


def run(site: httpx.Client, function: dict, dataset: str) -> str:
    """What comes back from one function, asked for as the page would."""
    data = function["data"]
    if len(data) > 8:  # the export form
        data = [dataset, *data[1:]]
    session = f"session-{function['id']}-{id(site)}"  # each person has their own
    body = {"data": data, "fn_index": function["id"], "session_hash": session,
            "event_data": {"dataset": dataset}}  # fmt: skip
    asked = site.post("/annotate/gradio_api/queue/join", json=body)
    if asked.status_code != 200:
        return asked.text
    with site.stream(
        "GET", "/annotate/gradio_api/queue/data", params={"session_hash": session}
    ) as reply:
        for line in reply.iter_lines():
            if "process_completed" in line or "unexpected_error" in line:
                return line
    return ""


def state(context: StudioContext) -> str:
    """Everything a lead could change."""
    store = context.store
    kept = [str(one) for one in store.datasets()] + [str(line) for line in store.team.log()]
    kept += sorted(path.name for path in context.workspace.exports.iterdir())
    return json.dumps(kept)


def test_no_function_of_their_page_does_what_a_lead_does(context):
    def session(address: str, name: str) -> httpx.Client:
        site = httpx.Client(base_url=address, timeout=60, headers={"Origin": address.rstrip("/")})
        site.post("/login", data={"name": name, "password": f"password of {name}"})
        return site

    with served(context) as address:
        ana, lea = session(address, "ana"), session(address, "lea")
        before = state(context)
        found = functions(ana)
        assert len(found) > 6
        said = [run(ana, one, "charts") for one in found]
        assert state(context) == before
        assert any("Only a lead can import and export" in line for line in said)
        for one in functions(lea):
            run(lea, one, "charts")
        assert state(context) != before  # the same calls do something for a lead
        ana.close(), lea.close()
