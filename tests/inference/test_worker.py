import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from studio.config import RunConfig
from studio.config.model import ModelConfig
from studio.core.child_server import Request
from studio.core.errors import InputError, NotFoundError
from studio.core.paths import SAMPLES, Workspace
from studio.data.image_store import ImageStore
from studio.inference.engine import Engine
from studio.inference.protocol import ChatRequest, user_turn
from studio.inference.worker import InferenceHandler
from studio.runs.store import Run, RunStore


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.locate(tmp_path / "workspace")


@pytest.fixture
def handler(workspace: Workspace, engine: Engine) -> InferenceHandler:
    return InferenceHandler(workspace, engine)


@pytest.fixture
def run(workspace: Workspace, trained: Path) -> Run:
    run = RunStore(workspace).create(RunConfig(name="trained"))
    shutil.copytree(trained, run.paths.adapter)
    return run


def chat(handler: InferenceHandler, **asked: object) -> tuple[str, dict]:
    request = ChatRequest(messages=(user_turn("Read out the data.", 1),), **asked)
    payload = {"kind": "chat", "chat": request.model_dump(mode="json")}
    text, answer = "", handler(Request(payload))
    assert isinstance(answer, Generator)
    while True:
        try:
            text += next(answer)["text"]
        except StopIteration as end:
            return text, end.value


def test_chat_answers_about_a_workspace_image(
    handler: InferenceHandler, workspace: Workspace, run: Run
) -> None:
    sha = ImageStore(workspace).add(sorted((SAMPLES / "heldout" / "images").glob("*.png"))[0])

    text, last = chat(handler, images=(sha,))
    adapted, _ = chat(handler, images=(sha,), run=run.run_id)

    assert text != adapted
    assert last["stopped"] == "end"
    assert last["tokens"] > 0


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "0" * 64])
def test_only_images_of_the_workspace_are_opened(handler: InferenceHandler, name: str) -> None:
    with pytest.raises(NotFoundError):
        chat(handler, images=(name,))


def test_load_and_status_say_what_is_in_memory(handler: InferenceHandler, run: Run) -> None:
    load = {"model": ModelConfig().model_dump(mode="json"), "run": run.run_id}

    loaded = handler(Request({"kind": "load", "load": load}))
    status = handler(Request({"kind": "status"}))

    assert run.run_id in loaded["adapters"]
    assert status["model"]["id"] == "embedded"
    assert status["resident"] > 0


def test_unknown_requests_are_refused(handler: InferenceHandler) -> None:
    with pytest.raises(InputError, match="shutdown"):
        handler(Request({"kind": "shutdown"}))


def test_compared_answers_come_with_their_numbers_and_errors_end_one(
    handler: InferenceHandler, workspace: Workspace, run: Run
) -> None:
    sha = ImageStore(workspace).add(sorted((SAMPLES / "heldout" / "images").glob("*.png"))[0])
    asked = {"messages": (user_turn("Read out the data.", 1),), "images": (sha,)}
    chats = [
        ChatRequest(**asked),
        ChatRequest(**asked, run="gone"),
        ChatRequest(**asked, run=run.run_id),
        ChatRequest(**{**asked, "images": ("0" * 64,)}),
        ChatRequest(**asked, model=ModelConfig(dtype="bfloat16")),
    ]
    payload = {"kind": "compare", "compare": [one.model_dump(mode="json") for one in chats]}
    texts, failed = dict.fromkeys(range(len(chats)), ""), {}
    for message in handler(Request(payload)):
        if "failed" in message:
            failed[message["number"]] = message["failed"]["type"]
        else:
            texts[message["number"]] += message["delta"]["text"]

    assert failed == {1: "NotFoundError", 3: "NotFoundError"}
    assert texts[0] == chat(handler, images=(sha,))[0]
    assert texts[2] == chat(handler, images=(sha,), run=run.run_id)[0]
    assert texts[4]
