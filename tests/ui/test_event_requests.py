"""Events that no page sends are refused before Gradio runs them, and leave no traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
from serving import served
from test_gate import session

from studio.ui.access import ANNOTATE
from studio.ui.app import close_context, open_context
from studio.ui.auth import Accounts, add_user

JOIN, RUN, DATA = "/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/queue/data"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("events")
    for name, role in (("lea", "lead"), ("ana", "annotator")):
        add_user(folder / "accounts.yaml", name, role, f"password of {name}")
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    with served(context) as found:
        yield found
    close_context(context)


@pytest.fixture(scope="module")
def lea(address) -> Iterator[httpx.Client]:
    with session(address, "lea") as site:
        yield site


@pytest.fixture(scope="module")
def functions(lea) -> list[dict]:
    """What the page can ask for, each with the values its fields begin with."""
    found = lea.get("/config").json()
    parts = {part["id"]: part for part in found["components"]}
    return [
        one
        | {"data": [parts[number]["props"].get("value") for number in one["inputs"]],
           "kinds": [parts[number]["type"] for number in one["inputs"]]}
        for one in found["dependencies"]
        if one["backend_fn"]
    ]  # fmt: skip


def event(function: dict, **other: object) -> dict:
    known = {"data": function["data"], "fn_index": function["id"], "session_hash": "session-1"}
    return known | other


@pytest.mark.parametrize("path", [JOIN, RUN])
def test_what_is_no_event_is_refused(lea, functions, path):
    one = next(found for found in functions if found["inputs"])
    wrong = [
        event(one, fn_index=100_000), event(one, fn_index=None), event(one, fn_index="0"),
        event(one, fn_index=True), event(one, fn_index=-1), event(one, data=[]),
        event(one, data=[*one["data"], 1]), event(one, data={}), event(one, data="x"),
        event(one, session_hash="../x"), event(one, session_hash="x" * 65),
        event(one, session_hash=5), event(one, batched=True), [], "x", 5, None,
    ]  # fmt: skip
    for asked in wrong:
        answer = lea.post(path, json=asked)
        assert answer.status_code == 422, (asked, answer.text)
        assert answer.json()["remedy"] == "Reload the page."
    good = json.dumps(event(one))
    for body in (b"", b"{", b"[" * 30_000, good.replace("session-1", "\\ud800").encode(),
                 good.encode("utf-16"), good.replace('"fn_index"', '"x": NaN, "fn_index"').encode(),
                 b'{"data": [' + b"9" * 5000 + b'], "fn_index": 0}'):  # fmt: skip
        answer = lea.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, body[:40]


def test_a_broken_character_is_refused_wherever_it_is(lea, functions):
    one = next(found for found in functions if found["kinds"] == ["textbox"])
    for value in ("\ud800", ["\udfff"], {"x": "\udfff"}):
        body = json.dumps(event(one, event_data={"text": value})).encode()
        answer = lea.post(JOIN, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


@pytest.mark.parametrize("path", ["/gradio_api/cancel", "/gradio_api/reset"])
def test_what_ends_an_event_says_which_one(lea, path):
    ended = {"session_hash": "s", "fn_index": 1, "event_id": "e"}
    assert lea.post(path, json=ended).status_code == 200
    for body in (b"{", b"[]", b'{"event_id": 5}', b'{"event_id": "\\ud800"}', b"\xff"):
        answer = lea.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, body


def test_values_are_those_of_their_fields(lea, functions):
    garbage = {
        "number": ["x", [1], {}, 1e300, 10**30], "slider": ["x", {}], "checkbox": ["x", [], 2],
        "textbox": [[], {}], "dropdown": [{}], "radio": [[], {}],
    }  # fmt: skip
    tried = set()
    for one in functions:
        for place, kind in enumerate(one["kinds"]):
            for value in garbage.get(kind, []) if kind not in tried else []:
                data = [*one["data"]]
                data[place] = value
                answer = lea.post(JOIN, json=event(one, data=data))
                assert answer.status_code == 422, (kind, value)
            tried.add(kind)
    assert {"number", "checkbox", "textbox", "dropdown"} <= tried


def test_every_function_takes_what_its_fields_begin_with(lea, functions):
    """The check knows all components that the page has, and Gradio's names for them."""
    assert len(functions) > 50
    shown = {"number", "slider", "checkbox", "textbox", "code", "dropdown", "radio"}
    from studio.ui.event_requests import KINDS, _wrong_values

    assert shown <= {kind.__name__.lower() for kind, _ in KINDS}
    for one in functions:
        made = [getattr(gr, kind.title(), gr.HTML) for kind in one["kinds"]]
        inputs = [kind.__new__(kind) for kind in made]
        assert _wrong_values(inputs, one["data"]) == "", one["kinds"]


def test_a_stream_of_nobody_s_session_is_not_found(address, lea):
    for page in ("", ANNOTATE):
        answer = lea.get(f"{page}{DATA}", params={"session_hash": "nobody"})
        assert answer.status_code == 404, page
        assert lea.get(f"{page}{DATA}").status_code == 404


def test_a_session_that_is_there_is_listened_to(lea, functions):
    """Fails when Gradio calls what it keeps of sessions otherwise."""
    one = next(found for found in functions if found["queue"] and not found["inputs"])
    assert lea.post(JOIN, json=event(one, session_hash="listens")).status_code == 200
    with lea.stream("GET", DATA, params={"session_hash": "listens"}) as answer:
        assert answer.status_code == 200
        assert any("process_completed" in line for line in answer.iter_lines())


def test_an_annotator_s_page_has_its_own_functions(address, functions):
    most = max(one["id"] for one in functions)
    with session(address, "ana") as ana:
        body = {"data": [], "fn_index": most, "session_hash": "s"}
        assert ana.post(f"{ANNOTATE}{JOIN}", json=body).status_code == 422
        assert ana.post(JOIN, json=body).status_code == 403
