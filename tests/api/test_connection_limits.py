"""What one connection may bring, read as it comes from the network: also in one large piece."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from studio.api import connection_limits
from studio.api.connection_limits import MAX_HEAD, BoundedConnection

KB = 1 << 10


class Transport(asyncio.Transport):
    """Stands for the network: keeps what is written; `stuck` when the other side reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closing, self.aborted = b"", False, False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        """Nothing is read by itself here."""

    def resume_reading(self) -> None:
        """Nothing is read by itself here."""


async def application(scope, receive, send) -> None:
    while (await receive()).get("more_body"):
        continue
    APP.append(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


APP: list[str] = []


def fed(*pieces: bytes) -> Transport:
    """What comes of a connection that brings these pieces, each at once."""
    APP.clear()

    async def run() -> Transport:
        config = uvicorn.Config(application, log_config=None)
        config.load()
        made = BoundedConnection(config, ServerState(), {})
        network = Transport()
        made.connection_made(network)
        for piece in pieces:
            made.data_received(piece)
            for _ in range(20):
                await asyncio.sleep(0)
        made._stop()
        made._unset_keepalive_if_required()
        return network

    return asyncio.run(run())


def asked(path: str, *lines: str, body: bytes = b"") -> bytes:
    first = (f"POST {path} HTTP/1.1", "Host: localhost", *lines)
    return "\r\n".join((*first, "", "")).encode() + body


@pytest.mark.parametrize("size", [2 * MAX_HEAD, 250 * KB])
@pytest.mark.parametrize("line", ["X: {}", "X-{}: y"])
def test_first_lines_in_one_piece_are_counted_like_others(size, line):
    network = fed(asked("/", line.format("y" * size)))
    assert network.written.startswith(b"HTTP/1.1 431 ") and network.closing
    assert APP == []  # what is refused is not done either


def test_first_lines_after_another_request_are_counted_too():
    before = asked("/before", "Content-Length: 4", body=b"four")
    network = fed(before + asked("/after", f"X: {'y' * 200 * KB}"))
    assert b" 431 " in network.written and network.closing
    assert "/after" not in APP


def test_what_people_send_in_earnest_is_read():
    many = [asked(f"/{number}", "Content-Length: 3", body=b"abc") for number in range(50)]
    assert fed(*many).written.count(b"read") == 50
    network = fed(asked("/", f"X: {'y' * 48 * KB}", f"Content-Length: {MAX_HEAD * 4}",
                        body=b"z" * MAX_HEAD * 4))  # fmt: skip
    assert b"read" in network.written and not network.closing


def test_a_body_in_small_pieces_is_read_and_one_of_wrapping_is_not():
    pieces = b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    assert b"read" in fed(asked("/", "Transfer-Encoding: chunked", body=pieces)).written
    wrapped = b"1;" + b"y" * 8 * KB + b"\r\nx\r\n"
    network = fed(asked("/", "Transfer-Encoding: chunked", body=wrapped * 100))
    assert network.closing and b"read" not in network.written


def test_requests_sent_ahead_have_an_end():
    """Each is kept until the one before is answered, and takes a hundred times its length."""
    network = fed(b"GET / HTTP/1.1\r\n\r\n" * 14_000)
    assert network.aborted and len(APP) <= connection_limits.MOST_AHEAD + 1_000


@pytest.mark.parametrize(
    "pieces", [(b"nonsense\r\n\r\n",), (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD,)]
)
def test_what_the_server_answers_by_itself_is_safe_too(pieces):
    network = fed(*pieces)
    head = network.written.partition(b"\r\n\r\n")[0].lower()
    assert head.startswith((b"http/1.1 400 ", b"http/1.1 431 ")) and network.closing
    assert b"x-content-type-options: nosniff" in head and b"x-frame-options: deny" in head
    assert b"frame-ancestors 'none'" in head
