"""A server on this machine that answers like an OpenAI-compatible endpoint, or misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, bytes, dict[str, str]]


def completion(*texts: str, tokens: int = 3, finish: str = "stop") -> Reply:
    """Make a reply with an answer for each text."""
    choices = [
        {"message": {"role": "assistant", "content": t}, "finish_reason": finish} for t in texts
    ]
    values = {"choices": choices, "usage": {"completion_tokens": tokens}}
    return 200, json.dumps(values).encode(), {}


def refusal(status: int, said: str = "", **headers: str) -> Reply:
    """Make a reply that refuses."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, json.dumps({"error": {"message": said}}).encode(), named


class StandIn:
    """What the server was asked and what it says.

    Attributes:
        asked: Bodies of the questions.
        keys: The Authorization headers that came with them.
        reply: Makes the reply to a body; `replies` are given before.
        models: What it lists; None: it has no such list.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.replies: list[Reply] = []
        self.reply: Callable[[dict[str, Any]], Reply] = lambda body: completion("yes")
        self.models: list[str] | None = ["small-vlm"]
        self.lock = threading.Lock()

    def reply_to(self, body: dict[str, Any], key: str | None) -> Reply:
        with self.lock:
            self.asked.append(body)
            self.keys.append(key)
            return self.replies.pop(0) if self.replies else self.reply(body)

    def listed(self) -> Reply:
        if self.models is None:
            return 404, b"", {}
        return 200, json.dumps({"data": [{"id": name} for name in self.models]}).encode(), {}


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Serve on a free port for the time of a `with`."""
    server_state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(server_state.listed())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(server_state.reply_to(body, self.headers.get("Authorization")))

        def _send(self, reply: Reply) -> None:
            status, content, headers = reply
            if status == 0:  # break off
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    server_state.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield server_state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
