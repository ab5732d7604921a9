"""Serving a run to other programs from the command line."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from typing import Annotated

import psutil
import typer

from studio.cli.options import WorkspaceOption, locate, say
from studio.core.errors import InputError
from studio.core.paths import Workspace

TOKEN = "STUDIO_SERVE_TOKEN"
SHORTEST_TOKEN = 16
AT_LEAST_A_YEAR = 60.0 * 24 * 366  # minutes
HERE = ("127.0.0.1", "localhost", "::1")


def serve(
    run: Annotated[str, typer.Argument(metavar="RUN[@STEP]", help="A run, or a checkpoint of it.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    workspace: WorkspaceOption = None,
) -> int:
    """Answer as OpenAI's API does (/v1/chat/completions), with a run of the workspace."""
    from studio.api.completions import PassingImages, ServedModel, completions_app
    from studio.api.server import serve as run_server
    from studio.core.child_client import PipeWorker
    from studio.inference.client import InferenceClient
    from studio.runs.run_weights import find_weights
    from studio.runs.store import RunStore

    place = locate(workspace)
    weights = find_weights(RunStore(place), run)
    config = weights.run.config
    token = _token()
    images = PassingImages(_passing(place))
    trained = weights.folder == weights.run.paths.adapter
    name = weights.run.run_id if trained else weights.name
    system = config.data.system_prompt or ""
    models = [ServedModel(name, config.model, name, system)]
    models.append(ServedModel(config.model.id, config.model, "", system))
    child = ["inference", "--workspace", str(place.root), "--passing", str(images.place.root)]
    worker = PipeWorker(child, place.root / "inference-served.log")
    client = InferenceClient(place, idle_minutes=AT_LEAST_A_YEAR, worker=worker)
    bound = _listen(host, port)
    try:
        say(f"Loading {name} …")
        client.load(config.model, name)
        app = completions_app(client, models, images, token)
        if TOKEN not in os.environ:
            say(f"Its token, for this time: {token}   (set {TOKEN} for one that stays)")
        if host not in HERE:
            say("! Questions and answers go over the network as they are; put TLS before it.")
        run_server(app, bound, name=name)
    finally:
        client.close()
        images.close()
        bound.close()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InputError(
            f"Nothing can listen on {host}:{port}: {error.strerror or error}.",
            remedy="Choose another port with --port, or 0 for any that is free.",
            field="port",
        ) from error
    return bound


def _token() -> str:
    given = os.environ.get(TOKEN)
    if given is None:
        return secrets.token_urlsafe(24)
    if len(given) < SHORTEST_TOKEN or not given.isascii() or not given.isprintable():
        raise InputError(
            f"{TOKEN} is no token: it has fewer than {SHORTEST_TOKEN} characters, or odd ones.",
            remedy="Choose a longer one, or leave it away: then one is made.",
            field=TOKEN,
        )
    return given


def _passing(place: Workspace) -> Workspace:
    """A folder for images of questions, without those of processes that were killed."""
    for rest in place.served.glob("*"):
        if not (rest.name.isdecimal() and psutil.pid_exists(int(rest.name))):
            shutil.rmtree(rest, ignore_errors=True)
    return Workspace(place.served / str(os.getpid()))
