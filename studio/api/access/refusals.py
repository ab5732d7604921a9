"""Refusals of the studio: one form for scripts, and a page for whoever opens an address."""

from __future__ import annotations

import json
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import Message, Send

from studio.api.access.page_frame import refused_page
from studio.api.access.rules import NO_BODY
from studio.core.errors import InputError, StudioError

# What Starlette and Gradio say where they have no sentence.
PLAIN = ("Not Found", "Method Not Allowed", "Internal Server Error")
PLAIN_WORDS = {404: "There is no page at this address.", 405: "This address shows no page."}


def refusal(status: int, message: str, remedy: str, field: str = "", **more: str) -> JSONResponse:
    """Return a refusal as every route of the studio says it, and as Gradio's page shows it.

    Of events that wait in its queue Gradio's page shows `detail`, of others `error`.
    """
    whole = f"{message} {remedy}"
    content = {"message": message, "remedy": remedy, "field": field, **more}
    content |= {"detail": whole, "error": whole}
    return JSONResponse(content, status, {"Cache-Control": "no-store"})


def too_long(limit: int) -> JSONResponse:
    """Return the refusal of a body over `limit` bytes."""
    size = f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit >> 10} KB"
    message = f"The request is longer than {size}."
    if limit == NO_BODY:
        message = "This address takes no content."
    return refusal(413, message, "Shorten what you send.")


def closed() -> JSONResponse:
    """Return the refusal of an address that nobody may ask for."""
    return refusal(403, "This address is closed.", "Open the studio's own page.")


def upload_refused(error: StudioError) -> JSONResponse:
    """Return the refusal of a file: 413 when it is too large, 507 when there is no room for it."""
    return refusal(413 if isinstance(error, InputError) else 507, error.message, error.remedy)


@dataclass
class RefusalPage:
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
