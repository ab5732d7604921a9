"""The application as a whole: what it loads, what it answers, whom it lets in."""

from __future__ import annotations

import json
import subprocess
import sys

import gradio as gr
import pytest
from fastapi.testclient import TestClient

from studio.api.access.accounts import Accounts, add_user
from studio.api.access.rules import ANNOTATE
from studio.api.context import close_context, open_context
from studio.ui.shell.app import bound_gradio, build_app, build_page
from tests.places import ROOT

HEAVY = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets")


LOCAL = "http://127.0.0.1:7860"


def test_studio_process_loads_no_model_library():
    code = f"import studio.ui.shell.app, sys, json; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_gradio_keeps_few_events_and_never_tabulates_them(context):
    environment = {"GRADIO_ANALYTICS_MAX_EVENTS": "7"}
    bound_gradio(environment)
    assert environment["GRADIO_ANALYTICS_MAX_EVENTS"] == "7"
    assert int(environment["GRADIO_ANALYTICS_CACHE_FREQUENCY"]) >= 10**9
    queue = build_page(context, ("runs",))._queue
    assert queue.ANALYTICS_MAX_EVENTS == 100
    queue.event_analytics["one"] = {"function": "f", "status": "success", "process_time": 1.0}
    queue.events_recorded = 500
    queue.compute_analytics_summary(list(queue.event_analytics.values()))
    assert queue.cached_event_analytics_summary == {"functions": {}}


@pytest.fixture
def context(tmp_path):
    opened = open_context(str(tmp_path / "workspace"))
    yield opened
    close_context(opened)


@pytest.fixture(scope="module")
def guarded_app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "accounts.yaml"
    add_user(file, "lea", "lead", "password of lea")
    add_user(file, "ana", "annotator", "password of ana")
    opened = open_context(str(folder / "workspace"), Accounts.load(file))
    yield build_app(opened)
    close_context(opened)


@pytest.fixture
def guarded(guarded_app):
    return TestClient(guarded_app, base_url=LOCAL, follow_redirects=False)


def tabs_of(client, path):
    config = client.get(f"{path}config").json()
    items = (c["props"] for c in config["components"] if c["type"] == "tabitem")
    return [item["label"] for item in items if str(item.get("elem_id")).startswith("tab-")]


def test_page_has_every_tab_and_shows_no_internals(context):
    with TestClient(build_app(context), base_url=LOCAL) as client:
        page, runs = client.get("/"), client.get("/?tab=runs")
        assert page.status_code == runs.status_code == 200
        assert runs.text.count('"selected":"runs"') == 1 and '"selected":"runs"' not in page.text
        assert client.get('/?tab="><script>').text.count('"selected":') == page.text.count(
            '"selected":'
        )
        assert tabs_of(client, "/") == [
            "Data",
            "Annotate",
            "Team",
            "Train",
            "Runs",
            "Evaluate",
            "Rounds",
            "Chat",
        ]
        assert client.get("/monitoring/summary").status_code in (403, 404)
        for path in ("/docs", "/openapi.json"):
            assert "swagger" not in client.get(path).text.lower()


def test_what_events_report_to_and_read_stays_little(guarded):
    """All of it is walked through whenever any event of the page begins or ends."""
    log_in(guarded, "lea")
    events = guarded.get("/config").json()["dependencies"]
    hidden = [event for event in events if event["show_progress"] == "hidden"]
    assert len(hidden) > 100
    assert len({tuple(event["show_progress_on"]) for event in hidden}) == 1
    read = [len(event["inputs"]) for event in events if event["backend_fn"]]
    # Preview, import and what goes on from them read a field for each role that a column can have.
    assert max(read) <= 30 and sum(count > 20 for count in read) <= 5


def test_no_choice_and_no_click_on_a_list_is_dropped_while_an_earlier_one_is_answered(context):
    page = build_page(context)
    heard = [
        (type(page.blocks[source]), name, event.trigger_mode, page.blocks[source].elem_id)
        for event in page.fns.values()
        if event.fn is not None
        for source, name in event.targets
        if source in page.blocks
    ]
    fields = [mode for _, name, mode, _ in heard if name == "input"]
    drawn = [mode for kind, name, mode, _ in heard if kind is gr.HTML and name == "click"]
    assert len(fields) > 20 and len(drawn) > 8
    assert "once" not in fields and set(drawn) == {"multiple"}
    waiting = [
        target
        for event in page.fns.values()
        if event.trigger_mode == "always_last" and event.fn is not None
        for target in event.targets
        if target[1] == "input"
    ]
    assert len(waiting) == len(set(waiting)), "two that wait ask each other without an end"
    # A decision may be refused for want of its reason, a start must not come twice.
    modes = {name: mode for *_, mode, name in heard}
    assert {modes["run-accept"], modes["round-roll-back"]} == {"always_last"}
    assert modes["evaluate-start"] == "once"


def test_foreign_host_names_are_refused(context):
    with TestClient(build_app(context), base_url="http://rebound.example") as client:
        assert client.get("/").status_code == 403


def log_in(client, name, password=None):
    data = {"name": name, "password": password or f"password of {name}"}
    return client.post("/login", data=data)


def test_strangers_are_sent_to_the_login_page(guarded):
    assert guarded.get("/").headers["location"] == "/login"
    assert guarded.get("/config").status_code == 401
    assert guarded.get(f"{ANNOTATE}/config").status_code == 401
    assert "Log in" in guarded.get("/login").text


def test_wrong_password_gives_no_cookie(guarded):
    answer = log_in(guarded, "lea", "a wrong password")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_wrong_password_keeps_the_typed_name_as_text(guarded):
    page = guarded.post("/login", data={"name": '"><b>ana', "password": "wrong"}).text
    assert 'value="&#34;&gt;&lt;b&gt;ana"' in page
    assert "<b>" not in page


def test_login_from_another_site_is_refused(guarded):
    data = {"name": "lea", "password": "password of lea"}
    answer = guarded.post("/login", data=data, headers={"origin": "http://other.example"})
    assert answer.status_code == 403


def test_lead_sees_everything_and_can_leave(guarded):
    answer = log_in(guarded, "lea")
    assert answer.headers["location"] == "/"
    assert {"httponly", "samesite=strict"} <= {
        part.strip().lower() for part in answer.headers["set-cookie"].split(";")
    }
    assert len(tabs_of(guarded, "/")) == 8
    guarded.post("/logout")
    assert guarded.get("/config").status_code == 401


def test_annotator_sees_only_annotating(guarded):
    assert log_in(guarded, "ana").headers["location"] == f"{ANNOTATE}/"
    assert guarded.get("/").headers["location"] == f"{ANNOTATE}/"
    assert guarded.get("/config").status_code == 403
    assert (
        guarded.post("/gradio_api/run/predict", json={"fn_index": 0, "data": []}).status_code == 403
    )
    assert tabs_of(guarded, f"{ANNOTATE}/") == ["Annotate"]
