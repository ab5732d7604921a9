"""A stand-in for the hub: a dataset repository over HTTP, as far as `datasets` asks for it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Repository = Mapping[str, Mapping[str, bytes]]
"""Revision → path → content; `main` is the newest."""


@contextmanager
def serving(repo: str, revisions: Repository) -> Iterator[tuple[str, list[str]]]:
    """Serve one repository; yields the endpoint and the paths asked for, as they come."""
    asked: list[str] = []

    class Handler(_Hub):
        log, name, contents = asked, repo, revisions

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def commit_of(revision: str) -> str:
    return hashlib.sha1(revision.encode(), usedforsecurity=False).hexdigest()


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log: list[str]
    name: str
    contents: Repository

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.log.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        if found := re.fullmatch(rf"/api/datasets/{self.name}(?:/revision/(.+))?", path):
            self._info(found[1])
        elif found := re.fullmatch(rf"/api/datasets/{self.name}/tree/([^/]+)(?:/(.*))?", path):
            self._tree(found[1], found[2] or "")
        elif found := re.fullmatch(rf"/datasets/{self.name}/resolve/([^/]+)/(.+)", path):
            self._file(found[1], found[2])
        else:
            self._json({"error": "not found"}, 404)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.log.append(f"POST {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        found = re.fullmatch(rf"/api/datasets/{self.name}/paths-info/(.+)", path)
        files = self._files(found[1]) if found else None
        if files is None:
            self._json({"error": "not found"}, 404)
            return
        wanted = (
            json.loads(body)["paths"] if body.startswith("{") else re.findall("paths=([^&]+)", body)
        )
        wanted = [unquote(name) for name in wanted]
        folders = {name.rpartition("/")[0] for name in files}
        self._json(
            [_entry(name, files[name]) for name in wanted if name in files]
            + [_folder(name) for name in wanted if name in folders]
        )

    def _files(self, revision: str | None) -> Mapping[str, bytes] | None:
        named = {commit_of(name): files for name, files in self.contents.items()}
        return {**named, **self.contents}.get(revision or "main")

    def _commit(self, revision: str | None) -> str:
        revision = revision or "main"
        return commit_of(revision) if revision in self.contents else revision

    def _info(self, revision: str | None) -> None:
        files = self._files(revision)
        if files is None:
            self._json({"error": "Invalid rev id"}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        self._json(
            {
                "id": self.name,
                "sha": self._commit(revision),
                "private": False,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "createdAt": "2026-01-01T00:00:00.000Z",
                "siblings": [{"rfilename": name} for name in files],
            }
        )

    def _tree(self, revision: str, folder: str) -> None:
        files = self._files(revision)
        if files is None:
            self._json({"error": "Invalid rev id"}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        inside = [name for name in files if name.startswith(f"{folder}/" if folder else "")]
        if not inside:
            self._json({"error": "no such folder"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        if "recursive=true" not in self.path.lower():
            top = len(folder) + 1 if folder else 0
            folders = {name[: name.index("/", top)] for name in inside if "/" in name[top:]}
            inside = [name for name in inside if "/" not in name[top:]]
        else:
            folders = set()
        self._json([_folder(name) for name in folders] + [_entry(n, files[n]) for n in inside])

    def _file(self, revision: str, name: str) -> None:
        content = (self._files(revision) or {}).get(name)
        if content is None:
            self._json({"error": "not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": self._commit(revision),
            "Accept-Ranges": "bytes",
        }
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            self._send(content[start : end + 1], 206, headers)
        else:
            self._send(content, 200, headers)

    def _json(self, value: object, status: int = 200, headers: Mapping[str, str] = {}) -> None:
        self._send(
            json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers}
        )

    def _send(self, content: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *given: object) -> None:
        pass


def _entry(name: str, content: bytes) -> dict[str, object]:
    oid = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": oid}


def _folder(name: str) -> dict[str, object]:
    return {"type": "directory", "path": name, "size": 0, "oid": "0" * 40}
