"""What is asked of Gradio's events, looked at before Gradio does: a function that the page has, with
as many values as it takes, from a session that exists.

Gradio answers anything else with a traceback in the log, which everybody who is logged in could
fill that way.
"""

from __future__ import annotations

import json
import re
from typing import Any

import gradio as gr
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.ui.access import ANNOTATE
from studio.ui.event_values import LARGEST
from studio.ui.gate import refusal
from studio.ui.gradio_parts import is_session

ASKS = re.compile(r"(/annotate)?/gradio_api/(queue/join|run/predict/?|cancel|reset/?)")
ENDS = re.compile(r".*/(cancel|reset/?)")  # an event that was asked for
LISTENS = re.compile(r"(/annotate)?/gradio_api/queue/data")
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
RELOAD = "Reload the page."
# By the component a value is of: which kinds its preprocessing takes; others take all.
KINDS: tuple[tuple[type, tuple[type, ...]], ...] = (
    (gr.Number, (int, float)),
    (gr.Slider, (int, float)),
    (gr.Checkbox, (bool,)),
    (gr.CheckboxGroup, (list,)),
    (gr.Textbox, (str, int, float)),
    (gr.Code, (str,)),
    (gr.Dropdown, (str, int, float, list)),
    (gr.Radio, (str, int, float)),
)


class EventRequests:
    """Middleware that refuses what Gradio's events cannot be asked.

    Args:
        pages: The page at each address, `""` and ANNOTATE; filled once they are made.
    """

    def __init__(self, app: ASGIApp, pages: dict[str, gr.Blocks]) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        page = self.pages.get(ANNOTATE if path.startswith(f"{ANNOTATE}/") else "")
        if page is None or not path:
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and ASKS.fullmatch(path):
            await self._asked(page, scope, receive, send)
        elif LISTENS.fullmatch(path) and not _is_known(page, scope):
            gone = refusal(404, "The page's connection has ended.", RELOAD)
            await gone(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _asked(self, page: gr.Blocks, scope: Scope, receive: Receive, send: Send) -> None:
        body, whole = bytearray(), False
        while not whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            whole = not message.get("more_body", False)
        try:
            asked = _parsed(bytes(body))
            problem = "" if ENDS.fullmatch(scope["path"]) else _problem(page, asked)
        except (ValueError, RecursionError):
            problem = "This is no event of a page."
        if problem:
            answer = refusal(422, problem, RELOAD)
            await answer(scope, receive, send)
            return
        again = iter([{"type": "http.request", "body": bytes(body), "more_body": False}])

        async def received() -> Message:
            return next(again, None) or await receive()

        await self.app(scope, received, send)


def _is_known(page: gr.Blocks, scope: Scope) -> bool:
    return is_session(page, QueryParams(scope["query_string"]).get("session_hash", ""))


def _parsed(body: bytes) -> Any:
    """What a body says. Raises ValueError, also for characters that are none; RecursionError."""
    values = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    if b"\\u" in body:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    return values


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _problem(page: gr.Blocks, asked: Any) -> str:
    """What is wrong with an event; empty when nothing is."""
    if not isinstance(asked, dict) or not isinstance(asked.get("data"), list):
        return "This is no event of a page."
    session = asked.get("session_hash")
    if session is not None and not (isinstance(session, str) and SESSION.fullmatch(session)):
        return "This is no session of a page."
    number = asked.get("fn_index")
    function = page.fns.get(number) if type(number) is int else None
    if function is None:
        return "The page has no such function: it is of another version of the studio."
    if asked.get("batched") or function.cancels:
        return "" if function.cancels else "This function takes one event at a time."
    return _wrong_values(function.inputs, asked["data"])


def _wrong_values(inputs: list[Any], values: list[Any]) -> str:
    if len(values) != len(inputs):
        return f"The function takes {len(inputs)} values, and {len(values)} were sent."
    for place, (component, value) in enumerate(zip(inputs, values, strict=True), 1):
        kinds = next((kinds for kind, kinds in KINDS if isinstance(component, kind)), None)
        if kinds is not None and value is not None and not _fits(value, kinds):
            return f"Value {place} of the event is not what its field holds."
    return ""


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, int | float) and not abs(value) <= LARGEST:  # also of one that is too long
        return False
    return isinstance(value, kinds)
