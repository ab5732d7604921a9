"""A run behind an address: OpenAI's `/v1/chat/completions` and `/v1/models`, on the inference worker.

`completions_app(...)` is an application of its own, not part of the studio's page: whoever has the
token may ask, and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.api.completion_request import CompletionRequest, read_completion
from studio.config.model import ModelConfig
from studio.core.errors import (
    BusyError,
    InputError,
    NotFoundError,
    RunFailedError,
    StudioError,
)
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.data.schema import Message, Part
from studio.inference.client import InferenceClient
from studio.inference.protocol import ChatDelta, ChatRequest

MOST_AT_ONCE = 8
MOST_BYTES = 32 * 2**20
PIECE_SECONDS = 30.0
LAST = b"data: [DONE]\n\n"
FINISH = {"end": "stop", "length": "length"}


@dataclass(frozen=True)
class ServedModel:
    """What answers.

    Attributes:
        name: What clients call it.
        run: As `ChatRequest.run`.
        system_prompt: What it was trained with; goes before conversations without one.
    """

    name: str
    model: ModelConfig
    run: str = ""
    system_prompt: str = ""


class PassingImages:
    """Images of questions, on the disk for as long as a question is being answered."""

    def __init__(self, place: Workspace) -> None:
        self.place = place
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def held(self, images: tuple[bytes, ...]) -> AsyncIterator[tuple[str, ...]]:
        """Keep images within the block; gives their names. They are looked at by who opens them."""
        names = [hashlib.sha256(content).hexdigest() for content in images]
        self._held.update(names)
        try:
            for name, content in zip(names, images, strict=True):
                await run_sync(self._write, name, content)
            yield tuple(names)
        finally:
            self._held.subtract(names)
            for name in set(names):
                if self._held[name] <= 0:
                    del self._held[name]
                    self._drop(name)

    def _write(self, name: str, content: bytes) -> None:
        file = self._file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{name}.{secrets.token_hex(4)}")
        part.write_bytes(content)
        part.replace(file)  # at once: the same image may be in two questions

    def _drop(self, name: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        """Where `ImageStore` finds it; what it is, its content says."""
        return self.place.images / name[:2] / f"{name}.png"

    def close(self) -> None:
        """Delete all of them."""
        shutil.rmtree(self.place.root, ignore_errors=True)


@dataclass
class _Service:
    """What the routes share; touched by the event loop alone."""

    client: InferenceClient
    models: dict[str, ServedModel]
    images: PassingImages
    answering: int = 0
    started: int = field(default_factory=lambda: int(time.time()))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Be one of those that are answered. Raises BusyError when all places are taken."""
        if self.answering >= MOST_AT_ONCE:
            raise BusyError(
                f"{MOST_AT_ONCE} questions are being answered, and that is the most at once.",
                remedy="Ask again in a moment.",
            )
        self.answering += 1
        try:
            yield
        finally:
            self.answering -= 1


def completions_app(
    client: InferenceClient, models: list[ServedModel], images: PassingImages, token: str
) -> FastAPI:
    """Build the application.

    Args:
        models: What answers, by the names that questions give.
        token: What `Authorization: Bearer …` must say.
    """
    service = _Service(client, {one.name: one for one in models}, images)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_Token, token=token)

    @app.exception_handler(StudioError)
    async def refuse(_: Request, error: StudioError) -> Response:
        log_told(error)
        return _error(_status(error), str(error), field=error.field)

    @app.exception_handler(404)
    async def unknown(request: Request, _: Any) -> Response:
        said = "There is no such address: /v1/models and /v1/chat/completions are there."
        return _error(404, said)

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        entry = {"object": "model", "created": service.started, "owned_by": "vlm-studio"}
        return {"object": "list", "data": [{"id": name, **entry} for name in service.models]}

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        return await _complete(service, request)

    return app


class _Token:
    """Let in who has the token; of others' requests nothing but the head is read."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._wanted = app, f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._wanted):
                refused = _error(401, "The token is missing or wrong.", kind="authentication_error")
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Stream(StreamingResponse):
    """An answer as it comes; what it holds is let go of however it ends."""

    def __init__(self, content: AsyncIterator[bytes], held: AsyncExitStack) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._all_held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._all_held.aclose()


async def _complete(service: _Service, request: Request) -> Response:
    async with AsyncExitStack() as held:
        held.enter_context(service.place())
        asked = read_completion(await _body(request))
        model = _named(service, asked.model)
        deltas = await held.enter_async_context(_answer(service, asked, model))
        # What is wrong with a question shows before its first token: then it can still be refused.
        first = [delta async for delta in _until_begun(deltas)]
        if asked.stream:
            events = _streamed(asked, model, first, deltas)
            return _Stream(events, held.pop_all())
        return JSONResponse(await _whole(model, first, deltas, request))
    raise AssertionError("nothing that is held keeps errors to itself")


async def _until_begun(deltas: AsyncIterator[ChatDelta]) -> AsyncIterator[ChatDelta]:
    async for delta in deltas:
        yield delta
        if delta.text or delta.done:
            return


async def _body(request: Request) -> bytes:
    content = bytearray()
    pieces = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise InputError("The question came too slowly.", field="body") from None
        if piece is None:
            return bytes(content)
        content += piece
        if len(content) > MOST_BYTES:
            raise InputError(
                f"The question has more than {MOST_BYTES >> 20} MB.",
                remedy="Send fewer or smaller images.",
                field="body",
            )


def _named(service: _Service, name: str) -> ServedModel:
    if name not in service.models:
        there = ", ".join(service.models)
        raise NotFoundError(
            f"There is no model {name[:100]!r} here.", remedy=f"There is: {there}.", field="model"
        )
    return service.models[name]


def _chat(asked: CompletionRequest, model: ServedModel, images: tuple[str, ...]) -> ChatRequest:
    messages = asked.messages
    if model.system_prompt and messages[0].role != "system":
        messages = (Message("system", (Part("text", model.system_prompt),)), *messages)
    return ChatRequest(
        model=model.model, run=model.run, messages=messages, images=images, sampling=asked.sampling
    )


@asynccontextmanager
async def _answer(
    service: _Service, asked: CompletionRequest, model: ServedModel
) -> AsyncIterator[AsyncIterator[ChatDelta]]:
    """The deltas of an answer; leaving the block early ends it after its current token."""
    async with service.images.held(asked.images) as names:
        answer = service.client.chat(_chat(asked, model, names))

        async def deltas() -> AsyncIterator[ChatDelta]:
            # A thread that waits for a token is waited for, so that nobody closes what is running.
            while (delta := await run_sync(next, answer, None)) is not None:
                yield delta

        try:
            yield deltas()
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(answer.close)


async def _whole(
    model: ServedModel,
    first: list[ChatDelta],
    deltas: AsyncIterator[ChatDelta],
    request: Request,
) -> dict[str, Any]:
    found = list(first)
    async for delta in deltas:
        found.append(delta)
        if await request.is_disconnected():
            break
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "".join(delta.text for delta in found)},
        "finish_reason": FINISH.get(found[-1].stopped, "stop"),
        "logprobs": None,
    }
    head = _head(model, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(found[-1])}


async def _streamed(
    asked: CompletionRequest,
    model: ServedModel,
    first: list[ChatDelta],
    deltas: AsyncIterator[ChatDelta],
) -> AsyncIterator[bytes]:
    head, last = _head(model, "chat.completion.chunk"), first[-1]
    yield _event(head, {"role": "assistant", "content": "".join(one.text for one in first)})
    try:
        async for last in deltas:
            if last.text:
                yield _event(head, {"content": last.text})
    except StudioError as error:  # the head of the answer is gone out already
        log_told(error)
        yield _data({"error": _said(str(error), field=error.field)})
        return
    yield _event(head, {}, FINISH.get(last.stopped, "stop"))
    if asked.counts_tokens:
        yield _data({**head, "choices": [], "usage": _usage(last)})
    yield LAST


def _head(model: ServedModel, kind: str) -> dict[str, Any]:
    name = f"chatcmpl-{secrets.token_hex(12)}"
    return {"id": name, "object": kind, "created": int(time.time()), "model": model.name}


def _usage(last: ChatDelta) -> dict[str, int]:
    """Tokens of the answer; those of the question are not counted."""
    return {"prompt_tokens": 0, "completion_tokens": last.tokens, "total_tokens": last.tokens}


def _event(head: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return _data({**head, "choices": [choice]})


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _status(error: StudioError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    if isinstance(error, BusyError):
        return 429
    if isinstance(error, InputError):
        return 400
    return 500 if isinstance(error, RunFailedError) else 409


def _said(text: str, *, kind: str = "invalid_request_error", field: str = "") -> dict[str, Any]:
    return {"message": text, "type": kind, "param": field or None, "code": None}


def _error(status: int, text: str, **more: str) -> Response:
    return JSONResponse({"error": _said(text, **more)}, status_code=status)
