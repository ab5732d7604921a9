"""Requests sent byte by byte, as no client library would."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlsplit

PIECE = b"x" * (1 << 20)


def connected(address: str) -> socket.socket:
    """A connection to a served studio."""
    place = urlsplit(address)
    return socket.create_connection((place.hostname, place.port), timeout=30)


def head(address: str, method: str, path: str, *lines: str) -> bytes:
    """The first lines of a request."""
    first = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(address).netloc}", *lines]
    return ("\r\n".join(first) + "\r\n\r\n").encode()


def answer(connection: socket.socket) -> str:
    """What comes back until the other side is silent or gone, at least the first line."""
    got = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while piece := connection.recv(65_536):
            got += piece
            connection.settimeout(1)
    return got.decode("utf-8", "replace")


def poured(connection: socket.socket, megabytes: int, chunked: bool = False) -> int:
    """Send so much, or until it is refused; how many MB went out."""
    piece = b"100000\r\n" + PIECE + b"\r\n" if chunked else PIECE
    for number in range(megabytes):
        try:
            connection.sendall(piece)
        except (ConnectionError, TimeoutError):
            return number
    return megabytes
