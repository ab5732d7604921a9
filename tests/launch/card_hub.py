"""A stand-in for the hub that takes models with valid cards only, and can refuse in several ways."""

from __future__ import annotations

import json
import re
import threading
from http.server import ThreadingHTTPServer

import yaml
from huggingface_hub import HfApi

from tests.launch.jobs_hub import TOKEN, Handler, State

LICENCES = ("apache-2.0", "mit", "llama3.2", "other")
TASKS = ("image-text-to-text", "text-generation")
RELATIONS = ("adapter", "finetune", "merge", "quantized")


def wrong_with(content: str) -> list[str]:
    """What the hub says of the metadata in a card."""
    found = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    if not found:
        return ["empty or missing yaml metadata"]
    data = yaml.safe_load(found[1])
    bases = data.get("base_model", [])
    named = [bases] if isinstance(bases, str) else bases
    problems = [
        f'"base_model" must be a model id on the hub: {one}'
        for one in named
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(one))
    ]
    for name, known in (("license", LICENCES), ("pipeline_tag", TASKS)):
        if data.get(name) not in known:
            problems.append(f'"{name}" must be one of {known}')
    if data.get("base_model_relation", "adapter") not in RELATIONS:
        problems.append('"base_model_relation" is unknown')
    return problems


class CardHandler(Handler):
    """As the jobs' hub.

    `state.refusing` is a status that commits are answered with; 401 and 403 everything else, too.
    """

    def do_GET(self):
        if self.state.refusing in (401, 403):
            self.answer({"error": "No."}, code=self.state.refusing)
        else:
            super().do_GET()

    def do_POST(self):
        if self.path == "/api/validate-yaml":
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            problems = wrong_with(body["content"])
            errors = [{"message": problem} for problem in problems]
            self.answer({"errors": errors, "warnings": []}, code=400 if errors else 200)
        elif self.state.refusing in (401, 403) or (self.state.refusing and "/commit/" in self.path):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer({"error": "No."}, code=self.state.refusing)
        else:
            super().do_POST()


def serve() -> tuple[State, ThreadingHTTPServer]:
    """A hub that answers until the server is shut down."""
    state = State()
    state.refusing = 0
    handler = type("Hub", (CardHandler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    state.api = HfApi(endpoint=state.url, token=TOKEN)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return state, server
