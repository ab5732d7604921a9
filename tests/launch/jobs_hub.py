"""A stand-in for the hub on this machine: repositories that keep what is committed, and jobs.

It takes what `huggingface_hub` sends and nothing else. A job is either told (`stages`, `log`), or
really run here, with `uv run` meaning: in the environment that is there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from huggingface_hub import JobHardware

TOKEN = "hf_secret"
UV = """#!/bin/bash
shift
while [ "$1" = --with ]; do shift 2; done
exec "$@"
"""
TAKEN = {
    "dockerImage": str,
    "command": list,
    "arguments": list,
    "environment": dict,
    "flavor": str,
    "secrets": dict,
    "timeoutSeconds": int,
    "labels": dict,
    "volumes": list,
}


@dataclass
class State:
    """What the hub knows.

    Attributes:
        files: Repository (`datasets/ana/x`, `models/ana/x`) → path → content.
        jobs: Bodies of the jobs that were asked for.
        stages: What is answered when a job is looked at, one after the other; the last one stays.
        broken: How many of the next answers about a job fail.
        folder: Where a job really runs; None: it is only told.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    jobs: list[dict] = field(default_factory=list)
    stages: list[str] = field(default_factory=lambda: ["COMPLETED"])
    message: str | None = None
    log: list[str] = field(default_factory=list)
    cancelled: int = 0
    broken: int = 0
    folder: Path | None = None
    url: str = ""

    def stage(self) -> str:
        return self.stages.pop(0) if len(self.stages) > 1 else self.stages[0]

    def begin(self, body: dict) -> None:
        """Run the job for real."""
        tools = self.folder / "bin"
        tools.mkdir()
        (tools / "uv").write_text(UV)
        (tools / "uv").chmod(0o755)
        here = Path(sys.executable).parent
        given = {"PATH": f"{tools}:{here}:{os.environ['PATH']}", "HF_ENDPOINT": self.url}
        given |= {"HOME": str(self.folder), "OMP_NUM_THREADS": "1", "TMPDIR": str(self.folder)}
        job = subprocess.Popen(
            body["command"],
            env=given | body["environment"] | body["secrets"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.stages = ["RUNNING"]
        threading.Thread(target=self._listen, args=[job], daemon=True).start()

    def _listen(self, job: subprocess.Popen) -> None:
        for line in job.stdout:
            self.log.append(line.rstrip("\n"))
        self.stages = ["COMPLETED" if job.wait() == 0 else "ERROR"]


class Handler(BaseHTTPRequestHandler):
    state: State

    def answer(self, value, kind="application/json", code=200):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def job(self, stage: str) -> dict:
        """As the hub answers: secrets by name only."""
        body = self.state.jobs[-1]
        return {
            "id": f"job{len(self.state.jobs)}",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "status": {"stage": stage, "message": self.state.message},
            "owner": {"id": "1", "name": "ana", "type": "user"},
            **body,
            "secrets": sorted(body["secrets"]),
        }

    def repository(self) -> dict[str, bytes]:
        parts = self.path.removeprefix("/api/").strip("/").split("/")
        kind = "datasets" if parts[0] == "datasets" else "models"
        names = parts[1:3] if parts[0] in ("datasets", "models") else parts[:2]
        return self.state.files.setdefault("/".join([kind, *names]), {})

    def do_GET(self):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer({"error": "Who are you?"}, code=401)
        elif self.path == "/api/whoami-v2":
            self.answer({"name": "ana", "type": "user"})
        elif self.path.startswith("/api/jobs/ana/"):
            self.look()
        elif "/tree/" in self.path:
            entry = {"type": "file", "oid": "0" * 40}
            files = self.repository().items()
            self.answer([entry | {"path": name, "size": len(content)} for name, content in files])
        elif "/resolve/" in self.path:
            content = self.repository()[self.path.split("/resolve/")[1].split("/", 1)[1]]
            self.answer(content, "application/octet-stream")
        else:
            files = [{"rfilename": name} for name in self.repository()]
            self.answer({"sha": self.revision(), "id": "ana/x", "siblings": files})

    def look(self):
        if self.state.broken:
            self.state.broken -= 1
            self.answer({"error": "busy"}, code=503)
        elif self.path.endswith("/logs"):
            lines = [{"data": line, "timestamp": "2026-01-01T00:00:00Z"} for line in self.state.log]
            stream = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
            self.answer(stream.encode(), "text/event-stream")
        else:
            self.answer(self.job(self.state.stage()))

    def revision(self) -> str:
        return hashlib.sha1(repr(sorted(self.repository().items())).encode()).hexdigest()

    def do_HEAD(self):
        if "/resolve/" not in self.path:
            self.answer({"error": "no such page"}, code=404)
            return
        content = self.repository()[self.path.split("/resolve/")[1].split("/", 1)[1]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.revision())
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = f"http://{self.headers['Host']}/ana/x"
        if "/preupload/" in self.path:
            known = {"uploadMode": "regular", "shouldIgnore": False}
            files = json.loads(body)["files"]
            self.answer({"files": [known | {"path": item["path"]} for item in files]})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.repository()[value["path"]] = base64.b64decode(value["content"])
            made = {"commitUrl": f"{url}/commit/{'0' * 40}", "commitOid": "0" * 40}
            self.answer({"success": True, "hookOutput": "", **made})
        elif self.path == "/api/jobs/ana":
            self.submit(json.loads(body))
        elif self.path.endswith("/cancel"):
            self.state.cancelled += 1
            self.state.stages = ["CANCELED"]
            self.answer(self.job("CANCELED"))
        else:
            asked = json.loads(body)
            private = asked.get("visibility") == "private" or asked.get("private") is True
            assert private and self.path == "/api/repos/create"
            name = f"{asked.get('organization') or 'ana'}/{asked['name']}"
            datasets = "datasets/" if asked.get("type") == "dataset" else ""
            self.answer({"url": f"{self.state.url}/{datasets}{name}", "name": name, "id": name})

    def submit(self, body: dict):
        fits = all(isinstance(body.get(name), kind) for name, kind in TAKEN.items())
        mounts = [set(volume) for volume in body.get("volumes", [])]
        fits = fits and set(body) == set(TAKEN) and body["flavor"] in set(JobHardware)
        if not fits or mounts != [{"type", "source", "mountPath"}]:
            self.answer({"error": "No such job can be."}, code=400)
            return
        self.state.jobs.append(body)
        if self.state.folder is not None:
            self.state.begin(body)
        self.answer(self.job("SCHEDULING"))

    def log_message(self, *_):
        pass


def serve() -> tuple[State, ThreadingHTTPServer]:
    """A hub that answers until the server is shut down."""
    state = State()
    handler = type("Hub", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return state, server
