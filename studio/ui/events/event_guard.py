"""What is asked of Gradio's events, looked at before Gradio does: a function that the page has, with
values that its fields can hold, from a session that exists and is the asker's.

Gradio answers anything else with a traceback in the log, which everybody who is logged in could
fill that way.
"""

from __future__ import annotations

import json
import re
from typing import Any

import gradio as gr
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.access.gate import PERSON
from studio.api.access.refusals import refusal
from studio.api.access.rules import ANNOTATE
from studio.core.logs import events
from studio.ui.compat.gradio_parts import has_only_own_files, is_event_of_another, is_session, shown
from studio.ui.events.field_values import RELOAD, Wrong, usual, wrong_value
from studio.ui.events.sessions import SessionOwners

ASKS = re.compile(r"(/annotate)?/gradio_api/(queue/join|run/predict/?|cancel|reset/?)")
ENDS = re.compile(r".*/(cancel|reset/?)")  # an event that was asked for
LISTENS = re.compile(r"(/annotate)?/gradio_api/queue/data")
BEATS = re.compile(r"(/annotate)?/gradio_api/heartbeat/([^/]+)")
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")


class EventGuard:
    """Middleware that refuses what Gradio's events cannot be asked.

    Args:
        pages: The page at each address, `""` and ANNOTATE; filled once they are made.
    """

    def __init__(self, app: ASGIApp, pages: dict[str, gr.Blocks]) -> None:
        self.app = app
        self.pages = pages
        self.owners = SessionOwners()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        page = self.pages.get(ANNOTATE if path.startswith(f"{ANNOTATE}/") else "")
        if page is None or not path:
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and ASKS.fullmatch(path):
            await self._asked(page, scope, receive, send)
        elif self._listens_elsewhere(page, scope):
            gone = refusal(404, "The page's connection has ended.", RELOAD)
            await gone(scope, receive, send)
        elif LISTENS.fullmatch(path):
            await self._listens(page, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _listens(self, page: gr.Blocks, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a page listen, which may leave while its answers begin: that is no fault."""
        try:
            await self.app(scope, receive, send)
        except (HTTPException, KeyError, RuntimeError) as error:
            # What Gradio raises once a session is gone cannot be answered any more: its reply began.
            cause = error.__cause__ if isinstance(error, RuntimeError) else error
            if is_session(page, _session(scope)) or not isinstance(cause, HTTPException | KeyError):
                raise
            events.info("A page left as its answers began", exc_info=True)

    def _listens_elsewhere(self, page: gr.Blocks, scope: Scope) -> bool:
        """Return whether a request is about a session that does not exist, or is another's."""
        if LISTENS.fullmatch(scope["path"]):
            session = _session(scope)
            return not (is_session(page, session) and self._owns(scope, session))
        beat = BEATS.fullmatch(scope["path"])
        return beat is not None and not self._owns(scope, beat[2])

    def _owns(self, scope: Scope, session: str) -> bool:
        return self.owners.claim(session, scope.get(PERSON, ""))

    async def _asked(self, page: gr.Blocks, scope: Scope, receive: Receive, send: Send) -> None:
        body, whole = bytearray(), False
        while not whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            whole = not message.get("more_body", False)
        try:
            content, problem = self._checked(page, scope, bytes(body))
        except (ValueError, RecursionError):
            content, problem = b"", Wrong("This is no event of a page.")
        if problem is not None:
            answer = refusal(422, problem.message, problem.remedy)
            await answer(scope, receive, send)
            return
        again = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def received() -> Message:
            return next(again, None) or await receive()

        await self.app(scope, received, send)

    def _checked(self, page: gr.Blocks, scope: Scope, body: bytes) -> tuple[bytes, Wrong | None]:
        """Return the body that Gradio gets, and what is wrong with it.

        Raises:
            ValueError: It is no event at all; also RecursionError.
        """
        asked = _parsed(body)
        if isinstance(asked, dict) and (problem := self._wrong_session(scope, asked)):
            return body, problem
        if ENDS.fullmatch(scope["path"]):
            forgets = scope["path"].rstrip("/").endswith("/reset")  # which ends nothing
            return body, None if forgets else _not_theirs(page, asked)
        problem = _problem(page, asked)
        if problem is None and _make_usual(page, asked):
            body = json.dumps(asked).encode()
        return body, problem

    def _wrong_session(self, scope: Scope, asked: dict[str, Any]) -> Wrong | None:
        session = asked.get("session_hash")
        if session is None:
            return None
        if not (isinstance(session, str) and SESSION.fullmatch(session)):
            return Wrong("This is no session of a page.")
        return None if self._owns(scope, session) else Wrong("This session is another's page.")


def _session(scope: Scope) -> str:
    return QueryParams(scope["query_string"]).get("session_hash", "")


def _not_theirs(page: gr.Blocks, asked: Any) -> Wrong | None:
    """Return what is wrong with ending an event: Gradio ends any, whoever names it."""
    known = asked if isinstance(asked, dict) else {}
    event = known.get("event_id")
    if isinstance(event, str) and is_event_of_another(page, event, known.get("session_hash")):
        return Wrong("This event is another page's.")
    return None


def _parsed(body: bytes) -> Any:
    """What a body says. Raises ValueError, also for characters that are none; RecursionError."""
    values = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    if b"\\u" in body:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    return values


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _problem(page: gr.Blocks, asked: Any) -> Wrong | None:
    """Return what is wrong with an event; None when nothing is."""
    if not isinstance(asked, dict) or not isinstance(asked.get("data"), list):
        return Wrong("This is no event of a page.")
    number = asked.get("fn_index")
    function = page.fns.get(number) if type(number) is int else None
    if function is None:
        return Wrong("The page has no such function: it is of another version of the studio.")
    if function.cancels:
        return None
    if function.fn is None:
        return Wrong("This function is the page's own: it is nothing to ask the studio for.")
    if asked.get("batched"):
        return Wrong("This function takes one event at a time.")
    if not has_only_own_files(asked.get("event_data"), there=False):
        return Wrong("The event does not say what one of the page says.")
    return _wrong_values(page, asked.get("session_hash"), function.inputs, asked["data"])


def _wrong_values(
    page: gr.Blocks, session: str | None, inputs: list[Any], values: list[Any]
) -> Wrong | None:
    """Return what is wrong with the values of fields; None when nothing is."""
    if len(values) != len(inputs):
        return Wrong(f"The function takes {len(inputs)} values, and {len(values)} were sent.")
    for component, value in zip(inputs, values, strict=True):
        if not component.stateful:
            as_usual = usual(component, value)
            wrong = wrong_value(component, shown(page, session, component), as_usual)
            if wrong is not None:
                return wrong
    return None


def _make_usual(page: gr.Blocks, asked: dict[str, Any]) -> bool:
    """Put the values that handlers expect in place of those sent. Returns: whether one differs."""
    inputs, sent = page.fns[asked["fn_index"]].inputs, asked["data"]
    asked["data"] = [
        usual(component, value) for component, value in zip(inputs, sent, strict=False)
    ]
    return asked["data"] != sent
