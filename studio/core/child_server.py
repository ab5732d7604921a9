"""The child's side of a JSON-lines pipe; the studio's side is `studio.core.child_client`.

Lines in: `{"id": 1, "payload": {…}}` starts a request, `{"cancel": 1}` ends it early,
`{"cancel": 1, "part": 2}` one part of it.
Every cancel is answered by `{"id": 0, "heard": 1}`: who does not answer can do nothing any more.
Lines out: `{"id": 1, …}` as often as the handler yields, then one with `"done": true`, or one
with `"error": {"type", "message", "remedy", "field"}`. Nothing here imports torch.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TextIO

from studio.core import errors
from studio.core.errors import ConfigError, FieldProblem, InputError, RunFailedError, StudioError
from studio.core.logs import discreet

Message = dict[str, Any]
MAX_CONCURRENT = 32


@dataclass(frozen=True)
class Request:
    """One request: what was asked, and an event that is set once nobody wants it any more."""

    payload: Message
    cancelled: threading.Event = field(default_factory=threading.Event)
    _parts: dict[int, threading.Event] = field(default_factory=dict)

    def part(self, number: int) -> threading.Event:
        """Return the event that is set once nobody wants this part of the request any more."""
        event = self._parts.setdefault(number, threading.Event())
        if self.cancelled.is_set():
            event.set()
        return event

    def cancel(self, part: int | None = None) -> None:
        """Set the event of one part; None: of the request and all of its parts."""
        if part is not None:
            self.part(part).set()
            return
        self.cancelled.set()
        for event in list(self._parts.values()):
            event.set()


Handler = Callable[[Request], Message | Generator[Message, None, Message | None]]


def serve(handler: Handler) -> None:
    """Answer requests from standard input until it closes, then end the process.

    Each request runs in a thread of its own: `handler` returns its only message, or is a
    generator whose yields are sent as they come and whose return value is the last message.
    Whatever else writes to standard output (libraries, subprocesses) lands on standard error.
    """
    lines, out = _take_over_standard_streams()
    server = _Server(handler, out)
    for line in lines:
        server.receive(json.loads(line))
    sys.stderr.flush()
    os._exit(0)  # a generation under way must not outlive the studio


def _take_over_standard_streams() -> tuple[TextIO, TextIO]:
    lines = os.fdopen(os.dup(0), "r", encoding="utf-8")
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return lines, out


class _Server:
    def __init__(self, handler: Handler, out: TextIO) -> None:
        self._handler = handler
        self._out = out
        self._out_lock = threading.Lock()
        self._running: dict[int, Request] = {}
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT)

    def receive(self, line: Message) -> None:
        if "cancel" in line:
            request = self._running.get(line["cancel"])
            if request is not None:
                request.cancel(line.get("part"))
            self._send(0, {"heard": line["cancel"]})
            return
        request = Request(line["payload"])
        self._running[line["id"]] = request
        future = self._threads.submit(self._run, line["id"], request)
        future.add_done_callback(partial(self._finish, line["id"]))

    def _run(self, request_id: int, request: Request) -> Message:
        answer = self._handler(request)
        if isinstance(answer, dict):
            return answer
        return yield_from(answer, partial(self._send, request_id)) or {}

    def _finish(self, request_id: int, future: Future[Message]) -> None:
        self._running.pop(request_id, None)
        error = future.exception()
        if error is None:
            self._send(request_id, {**future.result(), "done": True})
            return
        _log(error)
        self._send(request_id, {"error": encode_error(error)})

    def _send(self, request_id: int, message: Message) -> None:
        line = json.dumps({"id": request_id, **message})  # ASCII: no text can break the pipe
        with self._out_lock:
            self._out.write(line + "\n")
            self._out.flush()


def _log(error: BaseException) -> None:
    """Write an error into the child's log, which its standard error is: faults with traceback.

    What people can mend is one line, also where a file or an address was not there for a library.
    """
    cause = error.__cause__
    plain = cause is None or (isinstance(error, InputError) and isinstance(cause, OSError))
    if isinstance(error, StudioError) and plain:
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        said = " ".join(str(error).split())
        sys.stderr.write(discreet(f"{when} INFO Told: {said}\n"))
    else:
        traceback.print_exception(error, file=sys.stderr)
    sys.stderr.flush()


def yield_from(
    messages: Generator[Message, None, Message | None], send: Callable[[Message], None]
) -> Message | None:
    """Pass everything `messages` yields to `send`; return what it returns."""
    while True:
        try:
            message = next(messages)
        except StopIteration as end:
            return end.value
        send(message)


def encode_error(error: BaseException) -> Message:
    """Turn an error into plain values; one not meant for users becomes a `RunFailedError`."""
    if not isinstance(error, StudioError):
        error = RunFailedError(
            f"{type(error).__name__}: {error}", remedy="The log has the details."
        )
    encoded: Message = {
        "type": type(error).__name__,
        "message": error.message,
        "remedy": error.remedy,
        "field": error.field,
        "detail": error.detail,
    }
    if isinstance(error, ConfigError):
        encoded["problems"] = [asdict(problem) for problem in error.problems]
    return encoded


def decode_error(encoded: Message) -> StudioError:
    """Make the error that `encode_error` encoded."""
    if encoded.get("problems"):
        return ConfigError([FieldProblem(**problem) for problem in encoded["problems"]])
    kind = getattr(errors, str(encoded.get("type")), RunFailedError)
    if not (isinstance(kind, type) and issubclass(kind, StudioError)) or kind is ConfigError:
        kind = RunFailedError
    return kind(
        str(encoded.get("message", "")),
        remedy=str(encoded.get("remedy", "")),
        field=str(encoded.get("field", "")),
        detail=str(encoded.get("detail", "")),
    )
