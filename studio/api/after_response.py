"""What has to wait until an answer has gone out to the page."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from threading import Lock

from starlette.types import ASGIApp, Receive, Scope, Send


class _Answer:
    """The answer to one request, and what is to be called once it has gone out."""

    def __init__(self) -> None:
        self._gone = False
        self._calls: list[Callable[[], None]] = []
        self._lock = Lock()

    def call_after(self, call: Callable[[], None]) -> None:
        with self._lock:
            if not self._gone:
                self._calls.append(call)
                return
        call()

    def go(self) -> None:
        with self._lock:
            self._gone, calls = True, self._calls
        for call in calls:
            call()


_ANSWER: ContextVar[_Answer | None] = ContextVar("answer", default=None)


def after_answer(call: Callable[[], None]) -> None:
    """Call `call` when the answer to this request has gone out; at once outside of a request."""
    answer = _ANSWER.get()
    if answer is None:
        call()
    else:
        answer.call_after(call)


class AfterResponse:
    """Middleware that knows when the answer to a request has gone out, or was given up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer()
        token = _ANSWER.set(answer)
        try:
            await self.app(scope, receive, send)
        finally:
            _ANSWER.reset(token)
            answer.go()
