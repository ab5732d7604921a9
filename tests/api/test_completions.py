"""The OpenAI client asks a run behind an address: whole, streamed, with images, and too many at once."""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path

import httpx
import openai
import pytest
import uvicorn

from studio.api.completions import MOST_AT_ONCE, PassingImages, ServedModel, completions_app
from studio.api.server import configuration
from studio.config.model import ModelConfig
from studio.core.child_client import PipeWorker
from studio.core.paths import SAMPLES, Workspace
from studio.data.image_store import open_image
from studio.inference.client import InferenceClient
from studio.models.chat_parts import data_url

TOKEN = "a-token-for-this-test"
FAKE = Path(__file__).parents[1] / "inference" / "fake_inference.py"
PICTURE = next(SAMPLES.glob("heldout/images/*"))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An address, the client behind it, and the folder of its images."""
    place = tmp_path_factory.mktemp("served")
    workspace = Workspace.locate(place / "workspace")
    worker = PipeWorker([str(FAKE)], place / "inference.log", command=[sys.executable])
    client = InferenceClient(workspace, worker=worker)
    images = PassingImages(Workspace(workspace.served / "1"))
    models = [
        ServedModel("mine", ModelConfig(), "mine", "Be brief."),
        ServedModel("embedded", ModelConfig()),
    ]
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(configuration(completions_app(client, models, images, TOKEN)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1", place, images
    server.should_exit = True
    thread.join()
    client.close()


@pytest.fixture
def ai(served):
    with openai.OpenAI(base_url=served[0], api_key=TOKEN, max_retries=0) as client:
        yield client


def asking(text: str, *pictures: str) -> list[dict]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
    return [{"role": "user", "content": [*images, {"type": "text", "text": text}]}]


def wait_for(condition) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_an_answer_whole_and_streamed(ai, served):
    assert [model.id for model in ai.models.list()] == ["mine", "embedded"]
    picture = data_url(open_image(PICTURE))
    whole = ai.chat.completions.create(model="mine", messages=asking("hello", picture))
    assert whole.choices[0].message.content == "mine says hello"
    assert whole.choices[0].finish_reason == "stop" and whole.usage.completion_tokens == 3
    base = ai.chat.completions.create(model="embedded", messages=asking("hello"))
    assert base.choices[0].message.content == "base says hello"
    chunks = list(
        ai.chat.completions.create(
            model="mine",
            messages=[{"role": "system", "content": "Be long."}, *asking("hello", picture)],
            stream=True,
            stream_options={"include_usage": True},
            max_completion_tokens=9,
        )
    )
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(filter(None, texts)) == "mine says hello" and len(texts) > 3
    assert chunks[-1].usage.completion_tokens == 3
    assert not [file for file in served[2].place.root.rglob("*") if file.is_file()]


def test_the_ninth_at_once_is_refused_in_words_and_the_others_end_when_nobody_listens(ai, served):
    streams = [
        ai.chat.completions.create(model="mine", messages=asking("forever"), stream=True)
        for _ in range(MOST_AT_ONCE)
    ]
    with pytest.raises(openai.RateLimitError, match="8 questions are being answered"):
        ai.chat.completions.create(model="mine", messages=asking("hello"))
    for stream in streams:
        stream.close()
    log = served[1] / "inference.log"
    assert wait_for(lambda: log.read_text().count("cancelled") == MOST_AT_ONCE)

    def answered() -> bool:
        try:
            return bool(ai.chat.completions.create(model="mine", messages=asking("hello")))
        except openai.RateLimitError:
            return False

    assert wait_for(answered)


def test_a_stranger_is_told_nothing(served):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.get(f"{served[0]}/models", headers=headers)
        assert answer.status_code == 401 and "token" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "no JSON"),
        ({"model": "other"}, 404, "There is: mine, embedded"),
        ({"messages": []}, 400, "messages"),
        ({"messages": asking("x", "http://127.0.0.1/secret.png")}, 400, "nothing is fetched"),
        ({"messages": asking("x", "data:image/png;base64,A")}, 400, "no base64"),
        ({"n": 2}, 400, "n is not offered"),
        ({"tools": [{"type": "function"}]}, 400, "tools is not offered"),
        ({"temperature": 9}, 400, "temperature"),
        ({"surprise": 1}, 400, "surprise is not offered"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, 400, "question of the user"),
        ({"messages": asking("refuse")}, 400, "Ask something else"),
        ({"messages": asking("refuse"), "stream": True}, 400, "Ask something else"),
        (b" " * (33 << 20), 400, "more than 32 MB"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(served, body, status, said):
    if isinstance(body, dict):
        body = {"model": "mine", "messages": asking("hello")} | body
    how = {"content": body} if isinstance(body, bytes) else {"json": body}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"{served[0]}/chat/completions", headers=headers, **how)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
