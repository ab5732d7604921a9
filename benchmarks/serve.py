"""Does an address answer as soon as Chat does? Seconds to the first token, the two taking turns.

    python benchmarks/serve.py [--json] [--rounds 20]

Asks the embedded model about an image, on one inference worker: through the client that Chat uses, and
through `/v1/chat/completions` of the address that `python -m studio serve` opens.
"""

from __future__ import annotations

import argparse
import json
import secrets
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import openai
import uvicorn

from studio.api.completions import PassingImages, ServedModel, completions_app
from studio.api.server import configuration
from studio.config.model import ModelConfig
from studio.core.child_client import PipeWorker
from studio.core.paths import SAMPLES, Workspace
from studio.data.image_store import ImageStore, open_image
from studio.inference.client import InferenceClient
from studio.inference.protocol import ChatRequest, user_turn
from studio.models.chat_parts import data_url

QUESTION = "Which is the highest?"
ALLOWED = 1.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    picture = open_image(next(SAMPLES.glob("heldout/images/*")))
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.locate(folder)
        images = PassingImages(Workspace(workspace.served / "1"))
        child = ["inference", "--workspace", folder, "--passing", str(images.place.root)]
        client = InferenceClient(workspace, worker=PipeWorker(child, Path(folder, "log")))
        client.load(ModelConfig())
        token = secrets.token_urlsafe()
        app = completions_app(client, [ServedModel("it", ModelConfig())], images, token)
        bound = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(configuration(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        ai = openai.OpenAI(base_url=url, api_key=token)
        sha = ImageStore(workspace).add(next(SAMPLES.glob("heldout/images/*")))
        shown = data_url(picture)
        taken: dict[str, list[float]] = {"chat": [], "address": []}
        for _ in range(arguments.rounds + 1):
            taken["chat"].append(_chat(client, sha))
            taken["address"].append(_address(ai, shown))
        server.should_exit = True
        thread.join()
        client.close()
    found = {name: statistics.median(times[1:]) for name, times in taken.items()}
    ratio = found["address"] / found["chat"]
    if arguments.json:
        sys.stdout.write(json.dumps({**found, "ratio": ratio, "allowed": ALLOWED}) + "\n")
    else:
        sys.stdout.write(
            f"First token after {1000 * found['chat']:.0f} ms in Chat and "
            f"{1000 * found['address']:.0f} ms at the address: {ratio:.2f} times.\n"
        )
    return 0


def _chat(client: InferenceClient, sha: str) -> float:
    started = time.perf_counter()
    answer = client.chat(ChatRequest(messages=(user_turn(QUESTION, 1),), images=(sha,)))
    next(delta for delta in answer if delta.text)
    taken = time.perf_counter() - started
    list(answer)
    return taken


def _address(ai: openai.OpenAI, picture: str) -> float:
    parts = [
        {"type": "image_url", "image_url": {"url": picture}},
        {"type": "text", "text": QUESTION},
    ]
    started = time.perf_counter()
    messages = [{"role": "user", "content": parts}]
    stream = ai.chat.completions.create(model="it", messages=messages, stream=True)
    next(chunk for chunk in stream if chunk.choices[0].delta.content)
    taken = time.perf_counter() - started
    list(stream)
    return taken


if __name__ == "__main__":
    sys.exit(main())
