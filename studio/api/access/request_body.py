"""Bodies of requests: counted while they come, and ended where they are too long or too slow."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from starlette.formparsers import MultiPartException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send

from studio.api.access.refusals import refusal, too_long, upload_refused
from studio.api.access.request_head import RequestHead
from studio.api.uploads import FILE_BEGINS, Uploads
from studio.core.errors import StudioError
from studio.core.logs import strangers

PIECE_SECONDS, LINGER_SECONDS = 30.0, 10.0


class BodyRefused(MultiPartException):
    """A body is too long, or comes too slowly.

    A `MultiPartException`, because Gradio then deletes what it has written of an upload.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class BodyExchange:
    """A request that is let in: its body is counted, and its answer replaced if that is too long.

    Attributes:
        lingers: After a refusal, let come what the other side still sends.
    """

    app: ASGIApp
    uploads: Uploads
    head: RequestHead
    receive: Receive
    send: Send
    lingers: bool
    came: int = 0
    files: int = 0
    until: float | None = None
    whole: bool = False
    problem: Response | None = None
    started: bool = False
    answer: bytes = b""
    status: int = 0

    async def run(self) -> None:
        scope = self.head.scope
        if self.head.rule.upload:  # its answer is read here
            kept = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
            FILE_BEGINS.set(self._file_begins)
        try:
            await self.app(scope, self._receive, self._send)
        except BodyRefused:
            if self.started:
                raise
        finally:
            if self.head.rule.upload:
                self.uploads.ended(self.head.person, self.came, self.files)
        if self.problem is not None and not self.started:
            self.started = True
            send = self.send
            if self.lingers:
                send = LingeringAnswer(send, self.receive)
            await self.problem(self.head.scope, self.receive, send)

    async def _receive(self) -> Message:
        if self.whole:
            return await self.receive()
        if self.until is None or self.head.rule.upload:  # others have one time for all of it
            self.until = asyncio.get_running_loop().time() + PIECE_SECONDS
        try:
            async with asyncio.timeout_at(self.until):
                message = await self.receive()
        except TimeoutError:
            self._refuse(refusal(408, "The request came too slowly.", "Try again."))
        if message["type"] == "http.disconnect":
            if self.head.rule.upload:
                raise BodyRefused(400, "The browser left before the file was here.")
            return message
        self._count(len(message.get("body", b"")))
        self.whole = not message.get("more_body", False)
        return message

    def _count(self, length: int) -> None:
        self.came += length
        if self.came > self.head.limit:
            self._refuse(too_long(self.head.limit))
        if self.head.rule.upload:
            try:
                self.uploads.coming(self.head.person, length)
            except StudioError as error:
                self._refuse(upload_refused(error))

    def _file_begins(self) -> None:
        self.files += 1
        try:
            self.uploads.begins(self.head.person)
        except StudioError as error:
            self._refuse(upload_refused(error))

    def _refuse(self, answer: Response) -> None:
        answer.headers["Connection"] = "close"
        self.problem = answer
        raise BodyRefused(answer.status_code, "The body of the request was refused.")

    async def _send(self, message: Message) -> None:
        if self.problem is not None and not self.started:
            return  # whatever the application made of the refusal
        self.started = True
        if self.head.rule.upload:
            self._note_files(message)
        await self.send(message)

    def _note_files(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.answer += message.get("body", b"")
        if message.get("more_body") or self.status != 200:
            return
        paths = json.loads(self.answer)
        self.uploads.keep(self.head.person, [path for path in paths if isinstance(path, str)])


@dataclass
class LingeringAnswer:
    """Sends an answer at once, and ends the connection when the other side has stopped sending.

    A connection that is closed while something comes is reset, and a browser forgets the answer.
    """

    send: Send
    receive: Receive

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body" or message.get("more_body"):
            await self.send(message)
            return
        await self.send({**message, "more_body": True})
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while (piece := await self.receive())["type"] == "http.request":
                    if not piece.get("more_body"):
                        break
        except TimeoutError:
            strangers.warning("A refused request went on for %.0f seconds", LINGER_SECONDS)
        await self.send({"type": "http.response.body", "body": b""})
