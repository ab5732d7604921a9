"""Connections that end when a request's first lines are too long, or too long in coming.

Uvicorn waits for them without an end, and its fast parser keeps as many as are sent.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from studio.api.access.security_headers import HEADERS

HEAD_SECONDS = 20.0
MAX_HEAD = 96 << 10  # bytes of a request before, between and after its content
MOST_AHEAD = 32  # requests of a connection that wait for the answer to the one before
PIECE = 16 << 10  # what is read of a connection before it is counted again
# What the server answers by itself never comes to the gate: it carries the gate's headers too.
EARLY = {
    **HEADERS,
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def _early(status: str, said: str = "") -> bytes:
    lines = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(said.encode())),
             "Connection": "close", **EARLY}  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n{said}".encode()


TOO_LONG = _early("431 Request Header Fields Too Large")


# Which of two classes it is depends on what is installed.
Connection: Any = AutoHTTPProtocol


class BoundedConnection(Connection):
    """One connection of Uvicorn's, with those two ends."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._spent, self._content, self._piece = 0, 0, 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            if self.transport.is_closing():
                return
            self._take(data[at : at + PIECE])

    def _take(self, piece: bytes) -> None:
        """Read a piece on, unless it is one too many: what is refused is not begun."""
        if self._waits():
            self._start()
        self._piece = len(piece)
        self._spent += self._piece
        # Pieces of one byte take six: content may bring as much around it.
        if self._spent - self._content > MAX_HEAD + 8 * self._content:
            self.transport.write(TOO_LONG)
            self.transport.close()
            return
        super().data_received(piece)
        if not self._waits():
            self._stop()
            if not self._counts_content:
                self._spent = 0
        # Browsers send none ahead; each takes a hundred times the memory that it is long.
        if len(getattr(self, "pipeline", ())) > MOST_AHEAD:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request; both parsers ask for it."""
        self.transport.write(_early("400 Bad Request", msg))
        self.transport.close()

    # The fast parser's; the other one bounds these itself.
    def on_message_begin(self) -> None:
        # What the piece holds of the request before counts for this one too.
        self._spent, self._content = self._piece, 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        super().on_body(body)

    @property
    def _counts_content(self) -> bool:
        return hasattr(super(), "on_body")

    def _waits(self) -> bool:
        """Return whether the next request's first lines are what is awaited."""
        return self.cycle is None or self.cycle.response_complete

    def _start(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._end)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if self._waits() and not self.transport.is_closing():
            self.transport.close()
