"""As much of the hub as pushes and downloads need; what was committed lands in `Hub.files`."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """The handler; its state is the class's, reset by `running`."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    refuse = False

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self.chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.refuse:
            return self.answer(403, {"error": "no rights"})
        if "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": files})
        if self.path.endswith("/repos/create"):
            return self.answer(200, {"url": "https://huggingface.co/datasets/me/mine"})
        if "/commit/" not in self.path:
            return self.answer(200, {"warnings": [], "errors": []})
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                content = base64.b64decode(entry["value"]["content"])
                Hub.files[entry["value"]["path"]] = content
        commit = {"commitUrl": "https://huggingface.co/datasets/me/mine/commit/1", "commitOid": "1"}
        return self.answer(200, commit | {"success": True})

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.refuse:
            return self.answer(403, {"error": "no rights"})
        if "/resolve/" in self.path:
            return self.file(unquote(self.path.split("/resolve/")[1].split("/", 1)[1]))
        found = [
            {"type": "file", "path": name, "size": len(content), "oid": "1"}
            for name, content in Hub.files.items()
        ]
        if "/tree/" in self.path:
            return self.answer(200, found)
        siblings = [{"rfilename": one["path"]} for one in found]
        return self.answer(200, {"id": "me/mine", "sha": COMMIT, "siblings": siblings})

    def file(self, name: str) -> None:
        content = Hub.files.get(name)
        if content is None:
            return self.answer(404, {"error": "no file"}, {"X-Error-Code": "EntryNotFound"})
        more = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        return self.send(200, content, more)

    def chunk(self) -> bytes:
        size = int(self.rfile.readline(), 16)
        content = self.rfile.read(size)
        self.rfile.readline()
        return content

    def answer(self, status: int, value: object, more: dict | None = None) -> None:
        headers = {"Content-Type": "application/json"} | (more or {})
        self.send(status, json.dumps(value).encode(), headers)

    def send(self, status: int, content: bytes, headers: dict) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        """Quiet."""


@contextmanager
def running() -> Iterator[str]:
    """A fresh hub; gives its address."""
    Hub.files, Hub.refuse = {}, False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
