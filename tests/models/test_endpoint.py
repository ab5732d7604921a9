from __future__ import annotations

import base64
import io
import json
import logging
import socket
import ssl
import threading
from types import SimpleNamespace

import httpx
import pytest
from PIL import Image

from studio.core.errors import DataError, InputError, StudioError
from studio.data.schema import Message, Part
from studio.models import endpoint as module
from studio.models.endpoint import Endpoint, EndpointClient, EndpointSampling
from studio.models.endpoint_errors import EndpointError, network_error
from tests.models.endpoint_stand_in import completion, refusal, stand_in

QUESTION = (Message("user", (Part("image"), Part("text", "How many bars?"))),)
TEXT = (Message("user", (Part("text", "Hello"),)),)
IMAGE = Image.new("RGB", (40, 30), "red")
KEY = "sk-very-secret-123"


@pytest.fixture
def server():
    with stand_in() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(server, waits):
    with EndpointClient(Endpoint(server.url, "small-vlm"), timeout=20, sleep=waits.append) as made:
        yield made


def failure(client, messages=QUESTION, images=(IMAGE,)) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        client.answer(messages, images)
    assert caught.value.remedy
    return caught.value


def test_question_and_image_go_and_the_answer_comes(server, client):
    server.replies = [completion(" seven\0 \ud800", tokens=4, finish="length")]
    sampling = EndpointSampling(32, 0.7, 0.9, 5)
    found = client.answer(QUESTION, [IMAGE], sampling=sampling)
    assert (found.text, found.tokens, found.cut) == ("seven ?", 4, True)
    body = server.asked[0]
    assert (body["model"], body["max_tokens"], body["seed"]) == ("small-vlm", 32, 5)
    assert (body["temperature"], body["top_p"], body["stream"]) == (0.7, 0.9, False)
    picture, text = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "How many bars?"}
    content = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(content)).size == (40, 30)
    client.answer(TEXT)
    assert server.asked[1]["messages"] == [{"role": "user", "content": "Hello"}]
    assert server.keys == [None, None]
    with pytest.raises(DataError, match="1 images, and 0"):
        client.answer(QUESTION)


@pytest.mark.parametrize("many", ["given", "ignored", "refused"])
def test_several_answers_at_once_or_one_by_one(server, client, many):
    def reply(body):
        count = body.get("n", 1)
        if many == "refused" and count > 1:
            return refusal(400, "Only n = 1 is supported")
        return completion(*["a"] * (count if many == "given" else 1))

    server.reply = reply
    found = client.answers(TEXT, (), 3, sampling=EndpointSampling(temperature=1.0, seed=7))
    assert [one.text for one in found] == ["a"] * 3
    assert len(server.asked) == {"given": 1, "ignored": 3, "refused": 4}[many]
    if many != "given":
        assert [body["seed"] for body in server.asked][-2:] == [8, 9]


def test_settings_that_an_endpoint_does_not_take_are_named_or_left_out(server, client):
    server.replies = [
        refusal(400, "'max_tokens' is not supported: use 'max_completion_tokens'"),
        refusal(400, "Unsupported value: 'temperature' does not support 0"),
    ]
    assert client.answer(TEXT).text == "yes"
    assert "max_tokens" not in server.asked[2] and "temperature" not in server.asked[2]
    assert server.asked[2]["max_completion_tokens"] == 256
    assert list(client.notes) == [
        f"{client.endpoint.host} does not take `temperature`: it was left out."
    ]


def test_it_is_asked_again_while_it_is_busy(server, client, waits):
    server.replies = [refusal(429, **{"Retry_After": "3"}), refusal(503), (0, b"", {})]
    assert client.answer(TEXT).text == "yes"
    assert waits == [3.0, 2.0, 4.0]
    server.replies = [refusal(500, "out of memory")] * 9
    error = failure(client)
    assert error.kind == "busy" and "error 500" in str(error) and "out of memory" in str(error)
    assert len(server.replies) == 5 and not error.of_request


def test_key_is_sent_and_told_nobody(server, monkeypatch, caplog, waits):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    client = EndpointClient(Endpoint(server.url, "small-vlm", "MY_KEY"), sleep=waits.append)
    client.answer(TEXT)
    assert server.keys == [f"Bearer {KEY}"]
    server.replies = [refusal(401, f"bad key {KEY}")]
    wrong = failure(client)
    server.replies = [refusal(400, f"you are {KEY}")]
    bad = failure(client)
    assert wrong.kind == "key" and "environment variable MY_KEY" in str(wrong)
    monkeypatch.setenv("MY_KEY", "")
    with pytest.raises(InputError, match="MY_KEY is not set") as unset:
        client.answer(TEXT)
    for place in (wrong, bad, unset.value, client.endpoint, vars(client), caplog.text):
        assert KEY not in f"{place} {place!r}"
    client = EndpointClient(Endpoint(server.url, "small-vlm"))
    server.replies = [refusal(403)]
    assert "wants a key" in str(failure(client))


@pytest.mark.parametrize(
    ("reply", "kind", "words", "of_request"),
    [
        (refusal(400, "At most 0 image(s) may be provided"), "images", "takes no images", False),
        (refusal(500, "image input is not supported"), "images", "takes no images", False),
        (refusal(400, "context length is 4096"), "refused", "context length", True),
        (refusal(302, Location="https://user:pw@evil.example/x"), "moved", "evil.example", False),
        ((200, b"<html>Welcome", {}), "nonsense", "Welcome", False),
        ((200, b"", {}), "nonsense", "empty", False),
        ((200, b'data: {"choices": []}\n\n', {}), "nonsense", "a stream", False),
        ((200, b"[" * 100_000, {}), "nonsense", "no JSON", False),
        ((200, b"[1]", {}), "nonsense", "no JSON object", False),
        ((200, b'{"ok": 1}', {}), "nonsense", "no choices", False),
        ((200, b'{"choices": [{"text": 1}]}', {}), "nonsense", "without a message", False),
        ((200, b'{"choices": [{"message": {"content": 1}}]}', {}), "nonsense", "no text", False),
        ((200, b'{"choices": [{"message": {"content": [1]}}]}', {}), "nonsense", "no text", False),
        (
            (200, b'{"choices": [{"message": {"content": [{"text": 1}]}}]}', {}),
            "nonsense",
            "no text",
            False,
        ),
        ((200, b'{"choices": []}', {}), "no answer", "is empty", True),
        (completion("x" * 100_001), "too long", "100,001 characters", True),
        ((200, b"x" * (8 * 2**20 + 1), {}), "too long", "more than 8 MB", True),
    ],
)
def test_what_an_endpoint_does_wrong_is_a_sentence(server, client, reply, kind, words, of_request):
    server.replies = [reply]
    error = failure(client)
    assert (error.kind, error.of_request) == (kind, of_request)
    assert words in str(error) and "pw" not in str(error)
    assert client.answer(TEXT).text == "yes"  # the next question is answered


def test_models_that_are_there_are_named(server, client):
    missing = Endpoint(server.url, "big-vlm")
    server.replies = [refusal(404, "no such model")] * 2
    server.models = ["small-vlm", "other"]
    with EndpointClient(missing) as other:
        error = failure(other)
        assert error.kind == "model" and "It offers: small-vlm, other." in str(error)
        server.models = None
        assert "up to /v1" in str(failure(other))


def test_refused_connection_slow_server_and_broken_tls():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with EndpointClient(Endpoint(f"http://127.0.0.1:{port}", "m")) as client:
        assert failure(client).kind == "down"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with EndpointClient(Endpoint(address, "m"), timeout=0.2) as client:
            assert failure(client).kind == "timeout"
    with stand_in() as plain:
        secure = Endpoint(plain.url.replace("http:", "https:"), "m")
        with EndpointClient(secure, timeout=5) as client:
            assert failure(client).kind == "tls"


def test_dripping_answer_ends_at_the_time_limit(server, monkeypatch):
    times = iter([0.0])
    clock = SimpleNamespace(monotonic=lambda: next(times, 400.0))
    monkeypatch.setattr(module, "time", clock)
    with EndpointClient(Endpoint(server.url, "m")) as client:
        assert failure(client).kind == "timeout"


def test_unknown_host_is_said():
    error = httpx.ConnectError("no")
    error.__cause__ = socket.gaierror(-2, "Name or service not known")
    told = network_error(error, "https://no.such/v1/chat/completions", 5)
    assert told.kind == "host" and "no.such" in str(told)
    error.__cause__ = ssl.SSLCertVerificationError(1, "x")
    assert network_error(error, "https://no.such/v1", 5).kind == "tls"


def test_proxies_of_the_environment_are_not_used(server, client, monkeypatch):
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with EndpointClient(client.endpoint) as fresh:
        assert fresh.answer(TEXT).text == "yes"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1"),
        (" https://api.host/v1/ ", "https://api.host/v1"),
        ("https://api.host/x/v1/chat/completions", "https://api.host/x/v1"),
    ],
)
def test_address_is_kept_up_to_its_version(given, kept):
    assert Endpoint(given, "m").url == kept


@pytest.mark.parametrize(
    ("url", "model", "key_from"),
    [
        ("ftp://host", "m", ""),
        ("localhost:8000", "m", ""),
        ("http://[", "m", ""),
        ("http://host:port", "m", ""),
        ("https://me:hunter2@host/v1", "m", ""),
        ("https://host/v1?key=hunter2", "m", ""),
        ("http://169.254.169.254/v1", "m", ""),
        ("https://host", " ", ""),
        ("https://host", "m", "sk-hunter2"),
        ("https://host", "m", "STUDIO_DATABASE_URL"),
    ],
)
def test_endpoint_that_cannot_be_is_refused(url, model, key_from):
    with pytest.raises(InputError) as caught:
        Endpoint(url, model, key_from)
    assert "hunter2" not in str(caught.value)


def test_what_leaves_the_machine_is_said():
    assert "on this machine" in Endpoint("http://127.0.0.1:1", "m").what_leaves()
    said = Endpoint("http://10.0.0.5:8000", "m").what_leaves()
    assert "sent to 10.0.0.5:8000" in said and "not encrypted" in said
    assert "encrypted" not in Endpoint("https://api.host", "m").what_leaves()


def test_threads_share_one_client(server, client):
    threads = [threading.Thread(target=client.answer, args=(TEXT,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 4 and issubclass(EndpointError, StudioError)
    assert json.dumps(server.asked[0])
