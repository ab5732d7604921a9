"""The outermost layer of the application: whom it answers, and how much it reads.

Everything is decided from a request's first lines. The body of a request that is refused is never
read, so that nobody who isn't let in can fill the memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.access.accounts import Account, Accounts
from studio.api.access.page_frame import refused_page
from studio.api.access.request_checks import check_host, is_own_origin, names_are_given
from studio.api.access.rules import ANNOTATE, HOME, NO_BODY, SMALL, Rule, Who, rule_for
from studio.api.uploads import FILE_BEGINS, FRAMING, MAX_PERSON, Uploads
from studio.core.errors import InputError, StudioError
from studio.core.logs import strangers
from studio.core.paths import can_be_path

PAGES = ("/", ANNOTATE, HOME["annotator"], "/account", "/accounts")
PIECE_SECONDS, LINGER_SECONDS = 30.0, 10.0
MOST_HEADERS = 150
NOBODY = "local"
RANGE = re.compile(rb"bytes=([0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})")
PERSON = "studio.person"  # where the layers below find who asks
SAFE = ("GET", "HEAD", "OPTIONS")
PLAIN = ("Not Found", "Method Not Allowed", "Internal Server Error")
PLAIN_WORDS = {404: "There is no page at this address.", 405: "This address shows no page."}
HUB = "https://huggingface.co"
POLICY = {
    "default-src": "'none'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "style-src": "'self' 'unsafe-inline'",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "manifest-src": "'self'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=(), usb=()",
}
FOREIGN = ("access-control-allow-origin", "access-control-allow-credentials",
           "access-control-allow-methods", "access-control-allow-headers")  # fmt: skip


class BodyRefused(MultiPartException):
    """A body is too long, or comes too slowly.

    A `MultiPartException`, because Gradio then deletes what it has written of an upload.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Gate:
    """Answers those who may ask, and nobody else; every answer carries the security headers.

    Args:
        accounts: None when everybody who reaches the studio may use it; then only hosts that are
            this machine's are answered.
        environment: Tells whether this is a Space, which the hub shows in a frame.
    """

    app: ASGIApp
    accounts: Accounts | None
    uploads: Uploads
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        self.frames = f"'self' {HUB}" if self.environment.get("SPACE_ID") else "'none'"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        signed: Send = _Signed(send, self.frames)
        if _opens_page(scope):
            signed = _Shown(signed)
        scope = _without_odd_range(scope)
        asked = _Asked(scope, rule_for(scope["method"], scope["path"]))
        if self.accounts is not None:
            asked.account = self.accounts.of_request(HTTPConnection(scope))
        scope[PERSON] = asked.person
        refused = self._refusal(asked)
        if refused is not None:
            await self._refuse(asked, refused, receive, signed)
        else:
            await _Exchange(self, asked, receive, signed).run()

    async def _refuse(self, asked: _Asked, answer: Response, receive: Receive, send: Send) -> None:
        """Answer without reading; who is let in is read on for a while, or hears nothing of it."""
        if asked.is_short:
            await answer(asked.scope, receive, send)
            return
        answer.headers["Connection"] = "close"
        if self.lingers(asked):
            send = _Lingering(send, receive)
        await answer(asked.scope, receive, send)

    def lingers(self, asked: _Asked) -> bool:
        """Whether what comes after a refusal is let come: of strangers nothing more is read."""
        return self.accounts is None or asked.account is not None

    def _refusal(self, asked: _Asked) -> Response | None:
        return (
            self._wrong_host(asked)
            or self._wrong_origin(asked)
            or self._wrong_person(asked)
            or self._missing_slash(asked)
            or _wrong_path(asked)
            or self._wrong_file(asked)
            or self._wrong_size(asked)
        )

    def _wrong_host(self, asked: _Asked) -> Response | None:
        if self.accounts is not None and not names_are_given():
            return None
        try:
            check_host(HTTPConnection(asked.scope))
        except HTTPException as error:
            return PlainTextResponse(str(error.detail), error.status_code)
        return None

    def _wrong_origin(self, asked: _Asked) -> Response | None:
        """Refuse what a page of another site makes a browser send, except that it opens a page."""
        headers, method = asked.headers, asked.scope["method"]
        site = headers.get("sec-fetch-site")
        if site in ("cross-site", "same-site"):
            opens = headers.get("sec-fetch-mode") == "navigate" and method in SAFE
            if opens and headers.get("sec-fetch-dest") in self._may_hold():
                return None
        elif method in SAFE or asked.is_own(site):
            return None
        return refusal(403, "Another site cannot do anything here.", "Open the studio itself.")

    def _may_hold(self) -> tuple[str, ...]:
        return ("document",) if self.frames == "'none'" else ("document", "iframe")

    def _wrong_person(self, asked: _Asked) -> Response | None:
        who, account, path = asked.rule.who, asked.account, asked.scope["path"]
        if self.accounts is None:
            return _closed() if who is Who.NOBODY or asked.is_of_logins else None
        if who is Who.ANYBODY:
            return None
        if account is None:
            if asked.scope["method"] in SAFE and path in PAGES:
                return RedirectResponse("/login", 303)
            return refusal(401, "You are not logged in.", "Log in, then try again.")
        if who is Who.NOBODY:
            return _closed()
        if who is Who.LEAD and account.role != "lead":
            if path == "/" and asked.scope["method"] in SAFE:
                return RedirectResponse(HOME["annotator"], 303)
            return refusal(403, "Only a lead can do that.", "Ask a lead.")
        return None

    def _missing_slash(self, asked: _Asked) -> Response | None:
        if asked.scope["path"] == ANNOTATE and asked.scope["method"] in SAFE:
            return RedirectResponse(HOME["annotator"], 303)
        return None

    def _wrong_file(self, asked: _Asked) -> Response | None:
        _, mark, file = asked.scope["path"].partition("/gradio_api/file=")
        if not mark or self.uploads.may_read(asked.person, file):
            return None
        return refusal(403, "This file is not yours.", "Ask whoever sent it.")

    def _wrong_size(self, asked: _Asked) -> Response | None:
        length = asked.length
        if len(asked.scope["headers"]) > MOST_HEADERS:
            return refusal(431, "The request has too many headers.", "Reload the page.")
        if length is None:
            return refusal(400, "The request does not say how long it is.", "Reload the page.")
        if asked.rule.upload:
            try:
                self.uploads.admit(asked.person, length)
            except StudioError as error:
                return _upload_refusal(error)
        elif length > asked.limit:
            return too_long(asked.limit)
        return None


@dataclass
class _Asked:
    """One request, as far as its first lines say."""

    scope: Scope
    rule: Rule
    account: Account | None = None

    def __post_init__(self) -> None:
        self.headers = Headers(scope=self.scope)

    @property
    def person(self) -> str:
        return self.account.name if self.account else NOBODY

    @property
    def limit(self) -> int:
        return MAX_PERSON + FRAMING if self.rule.upload else self.rule.limit

    @property
    def length(self) -> int | None:
        """Of the body; 0 also when it comes in pieces, None when it is no number."""
        said = self.headers.get("content-length", "0")
        return int(said) if said.isascii() and said.isdecimal() and len(said) < 16 else None

    @property
    def is_short(self) -> bool:
        """Whether what is left to come may as well be let come."""
        pieces = "transfer-encoding" in self.headers
        return not pieces and (self.length or 0) <= SMALL

    @property
    def is_of_logins(self) -> bool:
        """Whether the address has a meaning only where there are logins."""
        first = self.scope["path"].split("/")[1]
        return first in ("login", "logout", "invite", "account", "accounts", "annotate")

    def is_own(self, site: str | None) -> bool:
        """Whether a change comes from the studio's own page, or from no browser at all."""
        if site in ("same-origin", "none"):
            return True
        return is_own_origin(HTTPConnection(self.scope))


@dataclass
class _Exchange:
    """A request that is let in: its body is counted, and its answer replaced if that is too long."""

    gate: Gate
    asked: _Asked
    receive: Receive
    send: Send
    came: int = 0
    files: int = 0
    until: float | None = None
    whole: bool = False
    problem: Response | None = None
    started: bool = False
    answer: bytes = b""
    status: int = 0

    async def run(self) -> None:
        scope = self.asked.scope
        if self.asked.rule.upload:  # its answer is read here
            kept = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
            FILE_BEGINS.set(self._file_begins)
        try:
            await self.gate.app(scope, self._receive, self._send)
        except BodyRefused:
            if self.started:
                raise
        finally:
            if self.asked.rule.upload:
                self.gate.uploads.ended(self.asked.person, self.came, self.files)
        if self.problem is not None and not self.started:
            self.started = True
            send = self.send
            if self.gate.lingers(self.asked):
                send = _Lingering(send, self.receive)
            await self.problem(self.asked.scope, self.receive, send)

    async def _receive(self) -> Message:
        if self.whole:
            return await self.receive()
        if self.until is None or self.asked.rule.upload:  # others have one time for all of it
            self.until = asyncio.get_running_loop().time() + PIECE_SECONDS
        try:
            async with asyncio.timeout_at(self.until):
                message = await self.receive()
        except TimeoutError:
            self._refuse(refusal(408, "The request came too slowly.", "Try again."))
        if message["type"] == "http.disconnect":
            if self.asked.rule.upload:
                raise BodyRefused(400, "The browser left before the file was here.")
            return message
        self._count(len(message.get("body", b"")))
        self.whole = not message.get("more_body", False)
        return message

    def _count(self, length: int) -> None:
        self.came += length
        if self.came > self.asked.limit:
            self._refuse(too_long(self.asked.limit))
        if self.asked.rule.upload:
            try:
                self.gate.uploads.coming(self.asked.person, length)
            except StudioError as error:
                self._refuse(_upload_refusal(error))

    def _file_begins(self) -> None:
        self.files += 1
        try:
            self.gate.uploads.begins(self.asked.person)
        except StudioError as error:
            self._refuse(_upload_refusal(error))

    def _refuse(self, answer: Response) -> None:
        answer.headers["Connection"] = "close"
        self.problem = answer
        raise BodyRefused(answer.status_code, "The body of the request was refused.")

    async def _send(self, message: Message) -> None:
        if self.problem is not None and not self.started:
            return  # whatever the application made of the refusal
        self.started = True
        if self.asked.rule.upload:
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
        self.gate.uploads.keep(self.asked.person, [path for path in paths if isinstance(path, str)])


@dataclass
class _Lingering:
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


@dataclass
class _Signed:
    """Puts the security headers on an answer, and takes those off that let other sites read it."""

    send: Send
    frames: str

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for name in FOREIGN:
                del headers[name]
            for name, value in HEADERS.items():
                headers[name] = headers.get(name, value)
            own = headers.get("content-security-policy", policy("'none'"))
            if "frame-ancestors" not in own:
                own = f"{own}; frame-ancestors {self.frames}"
            headers["Content-Security-Policy"] = own
            if self.frames == "'none'":
                headers["X-Frame-Options"] = "DENY"
            message = {**message, "headers": headers.raw}
        await self.send(message)


@dataclass
class _Shown:
    """Makes a page of a refusal that a browser shows: who opens an address reads no JSON."""

    send: Send
    start: Message | None = None
    said: bytes = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_refusal(message):
            self.start = message
            return
        if self.start is None:
            await self.send(message)
            return
        self.said += message.get("body", b"")
        if message.get("more_body"):
            return
        status, headers = self.start["status"], MutableHeaders(raw=list(self.start["headers"]))
        answer = refused_page(status, *_sentences(status, self.said))
        for name in ("content-length", "content-type", "content-security-policy", "cache-control"):
            headers[name] = answer.headers[name]
        await self.send({**self.start, "headers": headers.raw})
        await self.send({"type": "http.response.body", "body": answer.body})


def _opens_page(scope: Scope) -> bool:
    """Whether a browser shows somebody what comes, as a page of its own or in a frame."""
    headers = Headers(scope=scope)
    shown = headers.get("sec-fetch-dest")
    if shown is None:  # over plain HTTP browsers do not say
        kinds = headers.get("accept", "")
        return scope["method"] != "HEAD" and kinds.startswith("text/html") and "xml" in kinds
    return scope["method"] != "HEAD" and shown in ("document", "iframe", "frame")


def _is_refusal(start: Message) -> bool:
    kind = Headers(raw=start.get("headers", [])).get("content-type", "")
    return start["status"] >= 400 and kind.startswith(("application/json", "text/plain"))


def _sentences(status: int, said: bytes) -> tuple[str, str]:
    """What a refusal says, and what it says to do about it; routes of libraries say neither."""
    try:
        told = json.loads(said)
    except ValueError:
        told = {"message": said.decode("utf-8", "replace")}
    told = told if isinstance(told, dict) else {}
    message = told.get("message") or told.get("detail")
    if isinstance(message, str) and message not in PLAIN:
        return message, str(told.get("remedy") or "")
    return PLAIN_WORDS.get(status, "The studio cannot answer this."), "Open the studio's own page."


def policy(scripts: str) -> str:
    """The content security policy of a page with these sources of scripts."""
    return "; ".join(f"{name} {value}" for name, value in {**POLICY, "script-src": scripts}.items())


def refusal(status: int, message: str, remedy: str, field: str = "", **more: str) -> JSONResponse:
    """A refusal as every route of the studio says it, and as Gradio's page shows it.

    Of events that wait in its queue Gradio's page shows `detail`, of others `error`.
    """
    whole = f"{message} {remedy}"
    content = {"message": message, "remedy": remedy, "field": field, **more}
    content |= {"detail": whole, "error": whole}
    return JSONResponse(content, status, {"Cache-Control": "no-store"})


def too_long(limit: int) -> JSONResponse:
    """The refusal of a body over `limit` bytes."""
    size = (
        "This address takes no content"
        if limit == NO_BODY
        else f"The request is longer than {_size(limit)}"
    )
    return refusal(413, f"{size}.", "Shorten what you send.")


def _without_odd_range(scope: Scope) -> Scope:
    """`scope` without ranges that Gradio cannot read: who asks for them gets the whole file."""
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name != b"range" or RANGE.fullmatch(value)
    ]
    return scope if len(kept) == len(scope["headers"]) else {**scope, "headers": kept}


def _wrong_path(asked: _Asked) -> Response | None:
    """Refuse the name of a file that can be none: looking for it is an error, in Gradio too."""
    if can_be_path(asked.scope["path"]):
        return None
    return refusal(404, "There is no such address.", "Open the studio's own page.")


def _closed() -> JSONResponse:
    return refusal(403, "This address is closed.", "Open the studio's own page.")


def _upload_refusal(error: StudioError) -> JSONResponse:
    return refusal(413 if isinstance(error, InputError) else 507, error.message, error.remedy)


def _size(limit: int) -> str:
    return f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit >> 10} KB"
