"""Events that no page sends are refused before Gradio runs them, and leave no traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest

from studio.api.access.accounts import Accounts, add_user
from studio.api.access.rules import ANNOTATE
from studio.api.context import close_context, open_context
from studio.core.errors import InputError
from studio.ui.events import event_guard
from studio.ui.events.event_guard import EventGuard
from tests.api.access.guarded_site import session
from tests.ui import serving
from tests.ui.serving import served

JOIN, RUN, DATA = "/gradio_api/queue/join", "/gradio_api/run/predict", "/gradio_api/queue/data"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("events")
    for name, role in (("lea", "lead"), ("ana", "annotator"), ("bob", "annotator")):
        add_user(folder / "accounts.yaml", name, role, f"password of {name}")
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(EventGuard, "__init__", _kept(EventGuard.__init__))
    with served(context) as found:
        yield found
    monkeypatch.undo()
    close_context(context)


PAGES: dict[str, gr.Blocks] = {}


def _kept(made):
    """Keeps the pages that the application under test is made of."""

    def keep(self, app, pages):
        made(self, app, pages)
        PAGES.update(pages)

    return keep


@pytest.fixture(scope="module")
def page(lea) -> gr.Blocks:
    return PAGES[""]


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


def test_an_event_of_another_session_is_not_ended(lea, page):
    page._queue.event_ids_to_events["an-event"] = SimpleNamespace(session_hash="somebody-elses")
    try:
        asked = {"session_hash": "s", "fn_index": 1, "event_id": "an-event"}
        refused = lea.post("/gradio_api/cancel", json=asked)
        assert refused.status_code == 422 and "another page" in refused.json()["message"]
        assert lea.post("/gradio_api/cancel", json={"event_id": "an-event"}).status_code == 422
        # Gradio's page names no session here, and nothing is done.
        assert lea.post("/gradio_api/reset", json={"event_id": "an-event"}).status_code == 200
    finally:
        del page._queue.event_ids_to_events["an-event"]


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


def labelled(functions, page, kind, fits=lambda part: True) -> tuple[dict, int]:
    """A function and the place of one of its fields."""
    for one in functions:
        for place, number in enumerate(one["inputs"]):
            part = page.blocks[number]
            if isinstance(part, kind) and fits(part):
                return one, place
    raise AssertionError(f"no {kind.__name__} is read by the server")


def with_value(function: dict, place: int, value: object) -> dict:
    data = [*function["data"]]
    data[place] = value
    return event(function, data=data)


@pytest.mark.parametrize("path", [JOIN, RUN])
def test_a_choice_that_is_not_offered_is_refused_in_a_sentence(lea, functions, page, path, capfd):
    fixed = lambda part: not part.allow_custom_value and not part.multiselect  # noqa: E731
    one, place = labelled(functions, page, gr.Dropdown, fixed)
    for value in ("a" * 60_000, 7, ["x"]):
        answer = lea.post(path, json=with_value(one, place, value))
        assert answer.status_code == 422
        assert len(answer.text) < 1000
    assert "Traceback" not in capfd.readouterr().err


def test_a_number_outside_its_range_is_refused_with_the_range(lea, functions, page, capfd):
    one, place = labelled(functions, page, gr.Number, lambda part: part.minimum is not None)
    least = page.blocks[one["inputs"][place]].minimum
    answer = lea.post(JOIN, json=with_value(one, place, least - 1))
    assert answer.status_code == 422
    assert f"the least is {least}" in answer.json()["message"]
    one, place = labelled(functions, page, gr.Slider)
    for value in (None, page.blocks[one["inputs"][place]].maximum + 1):
        assert lea.post(JOIN, json=with_value(one, place, value)).status_code == 422
    assert "Traceback" not in capfd.readouterr().err


def test_choices_are_those_that_the_session_sees(lea, functions, page):
    fixed = lambda part: not part.allow_custom_value and not part.multiselect  # noqa: E731
    one, place = labelled(functions, page, gr.Dropdown, fixed)
    part = page.blocks[one["inputs"][place]]
    state = page.state_holder["sees-more"]
    state[part._id] = type(part)(["only here"], label="Here")
    state[part._id]._id = part._id
    own = with_value(one, place, "only here") | {"session_hash": "sees-more"}
    assert lea.post(JOIN, json=own).status_code == 200
    assert lea.post(JOIN, json=with_value(one, place, "only here")).status_code == 422


def test_files_are_those_that_the_page_was_given(lea, functions, page):
    mark = {"_type": "gradio.FileData"}
    for kind in (gr.UploadButton, gr.Gallery):
        one, place = labelled(functions, page, kind)
        for value in ({}, 5, "x", [{}], [[1]], {"path": None}, {"path": "\0", "meta": mark},
                      {"path": "/etc/passwd", "meta": mark}, [{"path": "/etc/passwd", "meta": mark}],
                      {"path": "http://127.0.0.1/x", "url": "http://127.0.0.1/x", "meta": mark},
                      [{"image": {"path": "/etc/passwd", "meta": mark}, "caption": None}]):  # fmt: skip
            answer = lea.post(JOIN, json=with_value(one, place, value))
            assert answer.status_code == 422, (kind, value)


def test_what_an_event_says_beside_names_no_file(lea, functions):
    one = next(found for found in functions if not found["inputs"])
    for told in ({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
                 [{"x": {"path": "/etc/passwd"}}], {"path": "\0"}):  # fmt: skip
        assert lea.post(JOIN, json=event(one, event_data=told)).status_code == 422, told


def test_a_function_of_the_page_s_own_is_nothing_to_ask_for(lea, page):
    own = [number for number, found in page.fns.items() if found.fn is None and not found.cancels]
    assert own
    for number in own:
        values = [None] * len(page.fns[number].inputs)
        asked = {"data": values, "fn_index": number, "session_hash": "session-1"}
        for path in (JOIN, RUN):
            assert lea.post(path, json=asked).status_code == 422


def test_a_form_comes_whole(lea, functions, page):
    one, place = labelled(functions, page, gr.JSON)
    values = one["data"][place]
    for value in (None, {}, True, "x", [], values[:-1], [*values, 1], [{}] * len(values)):
        assert lea.post(JOIN, json=with_value(one, place, value)).status_code == 422, value


def test_no_text_is_an_empty_one_and_a_foreign_memory_none(page):
    from studio.ui.events.field_values import usual

    memory = next(part for part in page.blocks.values() if isinstance(part, gr.BrowserState))
    assert usual(gr.Textbox(), None) == "" and usual(gr.Number(), None) is None
    assert usual(memory, [1]) is None


def test_what_still_fails_is_logged_in_short(functions, page, lea, capfd, caplog):
    one = next(found for found in functions if not found["inputs"] and found["queue"])
    was = page.fns[one["id"]].fn

    def fails(*_: object) -> None:
        raise ValueError("x" * 60_000)

    page.fns[one["id"]].fn = fails
    try:
        assert lea.post(JOIN, json=event(one, session_hash="fails")).status_code == 200
        with lea.stream("GET", DATA, params={"session_hash": "fails"}) as answer:
            assert any("process_completed" in line for line in answer.iter_lines())
    finally:
        page.fns[one["id"]].fn = was
    for studio in serving.LIVE:  # its traceback is what was asked for
        studio.problems.clear()
    assert "Traceback" not in capfd.readouterr().err
    assert [record.name for record in caplog.records if record.exc_info] == ["studio.events"]


def test_a_refusal_while_an_event_waits_is_no_fault(functions, page, lea, caplog):
    one = next(found for found in functions if not found["inputs"] and found["queue"])
    was = page.fns[one["id"]].fn

    def refuses(*_: object) -> None:
        raise InputError("Only leads see the data.", remedy="Ask a lead.")

    page.fns[one["id"]].fn = refuses
    try:
        assert lea.post(JOIN, json=event(one, session_hash="refuses")).status_code == 200
        with lea.stream("GET", DATA, params={"session_hash": "refuses"}) as answer:
            assert any("process_completed" in line for line in answer.iter_lines())
    finally:
        page.fns[one["id"]].fn = was
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_session_belongs_to_whoever_used_it_first(address, lea, functions):
    one = next(found for found in functions if found["queue"] and not found["inputs"])
    mine = {"session_hash": "lea-s"}
    assert lea.post(JOIN, json=event(one, **mine)).status_code == 200
    with session(address, "ana") as ana, session(address, "bob") as bob:
        own = {"data": [], "fn_index": 0, "session_hash": "lea-s"}
        assert ana.post(f"{ANNOTATE}{JOIN}", json=own).status_code == 422
        assert (
            ana.post(f"{ANNOTATE}/gradio_api/cancel", json=own | {"event_id": "e"}).status_code
            == 422
        )
        function = next(
            number for number, found in PAGES[ANNOTATE].fns.items()
            if found.fn is not None and not found.inputs
        )  # fmt: skip
        asked = {"data": [], "fn_index": function, "session_hash": "ana-s"}
        assert ana.post(f"{ANNOTATE}{JOIN}", json=asked).status_code == 200
        other = bob.get(f"{ANNOTATE}{DATA}", params={"session_hash": "ana-s"})
        assert other.status_code == 404
        assert "another's" in bob.post(f"{ANNOTATE}{JOIN}", json=asked).json()["message"]
        with ana.stream("GET", f"{ANNOTATE}{DATA}", params={"session_hash": "ana-s"}) as answer:
            assert answer.status_code == 200


def test_every_function_takes_what_its_fields_begin_with(lea, functions, page):
    """The check knows all components that the page has, and Gradio's names for them."""
    assert len(functions) > 50
    shown = {"number", "slider", "checkbox", "textbox", "code", "dropdown", "radio"}
    from studio.ui.events.field_values import KINDS, usual, wrong_value

    assert shown <= {kind.__name__.lower() for kind, _ in KINDS}
    for one in functions:
        for number, value in zip(one["inputs"], one["data"], strict=True):
            part = page.blocks[number]
            if not part.stateful:
                assert wrong_value(part, part, usual(part, value)) is None, (part, value)


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


def test_a_page_that_leaves_as_its_answers_begin_leaves_no_traceback(lea, monkeypatch, caplog):
    looked = iter([True])  # the session is there when the request comes, and gone right after
    monkeypatch.setattr(event_guard, "is_session", lambda page, session: next(looked, False))
    with lea.stream("GET", DATA, params={"session_hash": "leaves"}) as answer:
        assert answer.status_code == 200
        assert any("unexpected_error" in line for line in answer.iter_lines())
    assert [record.levelname for record in caplog.records if record.exc_info] == []


def test_an_annotator_s_page_has_its_own_functions(address, functions):
    most = max(one["id"] for one in functions)
    with session(address, "ana") as ana:
        body = {"data": [], "fn_index": most, "session_hash": "s"}
        assert ana.post(f"{ANNOTATE}{JOIN}", json=body).status_code == 422
        assert ana.post(JOIN, json=body).status_code == 403
