"""Values of every kind for every field of both pages: refused, or what functions are written for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import httpx
import pytest

from studio.api.access.accounts import Accounts, add_user
from studio.api.access.rules import ANNOTATE
from studio.api.context import close_context, open_context
from studio.ui.events.event_guard import EventGuard
from studio.ui.events.field_values import usual, wrong_value
from tests.api.access.guarded_site import session
from tests.ui import serving
from tests.ui.events.test_event_guard import PAGES, _kept
from tests.ui.serving import served

VALUES = (-1, 3, 2**60, 0.5, True, None, "x" * 5_000, [], ["x"], [-1], [True], {}, {"a": 1},
          [[{"a": [1]}]])  # fmt: skip
# What functions are written for; a field that is not listed here must not be read by one.
HOLDS: tuple[tuple[type, tuple[type, ...]], ...] = (
    (gr.Textbox, (str, int, float)),  # Gradio makes texts of numbers
    (gr.Code, (str,)),
    (gr.Button, (str, type(None))),
    (gr.Number, (int, float, type(None))),
    (gr.Slider, (int, float)),
    (gr.Checkbox, (bool, type(None))),
    (gr.Radio, (str, type(None))),
    (gr.CheckboxGroup, (list,)),
    (gr.BrowserState, (str, dict, list, type(None))),
    (gr.HTML, (str, type(None))),
    (gr.UploadButton, (str, list, type(None))),
    (gr.Gallery, (list, type(None))),
    (gr.File, (str, list, type(None))),
    (gr.Image, (str, type(None))),
)
SESSION = "session-of-kinds"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("kinds")
    for name, role in (("lea", "lead"), ("ana", "annotator")):
        add_user(folder / "accounts.yaml", name, role, f"password of {name}")
    context = open_context(str(folder / "workspace"), Accounts.load(folder / "accounts.yaml"))
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(EventGuard, "__init__", _kept(EventGuard.__init__))
    with served(context) as found:
        yield found
    monkeypatch.undo()
    close_context(context)


def holds(part: Any, value: object) -> bool:
    """Whether a function that reads this field can expect a value."""
    if part.stateful:
        return True
    if isinstance(part, gr.Dropdown):
        offered = tuple({type(one) for _, one in part.choices}) or (str,)
        kinds = (list,) if part.multiselect else (str, type(None), *offered)
    else:
        kinds = next((kinds for kind, kinds in HOLDS if isinstance(part, kind)), ())
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds)


def fields(page: gr.Blocks) -> dict[int, tuple[int, int]]:
    """Every field that a function reads: the first such function, and the field's place in it."""
    found: dict[int, tuple[int, int]] = {}
    for number, function in page.fns.items():
        if function.fn is not None and not function.cancels:
            for place, part in enumerate(function.inputs):
                if not part.stateful:
                    found.setdefault(part._id, (number, place))
    return found


@pytest.fixture(params=[("lea", ""), ("ana", ANNOTATE)], ids=["leads", "annotators"])
def asked(address, request) -> Iterator[tuple[httpx.Client, gr.Blocks, str]]:
    """Somebody who asks, their page, and its address."""
    name, at = request.param
    with session(address, name) as site:
        site.get(f"{at}/config")
        yield site, PAGES[at], at


def test_only_what_a_field_holds_is_let_through(asked):
    _, page, _ = asked
    wrong = set()
    for number in fields(page):
        part = page.blocks[number]
        for value in VALUES:
            taken = usual(part, value)
            if wrong_value(part, part, taken) is None and not holds(part, taken):
                wrong.add((type(part).__name__, getattr(part, "label", ""), repr(value)[:40]))
    assert wrong == set()


def test_what_is_let_through_is_read_without_a_fault(asked):
    """One field of each kind; functions do nothing, or they would ask the hub, train, and import."""
    site, page, at = asked
    (live,) = serving.LIVE
    kinds = {type(page.blocks[part]): found for part, found in fields(page).items()}
    for number, place in kinds.values():
        function = page.fns[number]
        skipped = tuple(gr.skip() for _ in function.outputs)
        nothing = skipped if len(skipped) > 1 else gr.skip()
        function.fn, function.types_generator = (lambda *_, said=nothing: said), False
        for value in VALUES:
            data = [None if part.stateful else part.value for part in function.inputs]
            data = [None if callable(one) else one for one in data]
            data[place] = value
            event = {"fn_index": number, "data": data, "session_hash": SESSION}
            answer = site.post(f"{at}/gradio_api/run/predict", json=event)
            assert answer.status_code in (200, 422), (function.name, value, answer.text)
    assert live.problems == []


def test_a_model_is_chosen_by_its_name(address):
    with session(address, "lea") as site:
        site.get("/config")
        page = PAGES[""]
        part = next(one for one in page.blocks.values() if one.elem_id == "chat-model")
        number, place = fields(page)[part._id]
        data = [None if one.stateful else one.value for one in page.fns[number].inputs]
        data[place] = -1
        event = {"fn_index": number, "data": data, "session_hash": SESSION}
        answer = site.post("/gradio_api/run/predict", json=event)
    assert answer.status_code == 422
    assert "“Model” does not hold such a value" in answer.json()["message"]
