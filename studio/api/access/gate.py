"""The outermost layer of the application: whom it answers, and how much it reads.

Everything is decided from a request's first lines. The body of a request that is refused is never
read, so that nobody who isn't let in can fill the memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastapi import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.api.access.accounts import Accounts
from studio.api.access.host_names import check_host, names_are_given
from studio.api.access.refusals import RefusalPage, closed, refusal, too_long, upload_refused
from studio.api.access.request_body import BodyExchange, LingeringAnswer
from studio.api.access.request_head import RequestHead, opens_page, without_odd_range
from studio.api.access.rules import ANNOTATE, HOME, Who, rule_for
from studio.api.access.security_headers import HUB, SignedAnswer
from studio.api.uploads import Uploads
from studio.core.errors import StudioError
from studio.core.paths import can_be_path

PAGES = ("/", ANNOTATE, HOME["annotator"], "/account", "/accounts")
MOST_HEADERS = 150
PERSON = "studio.person"  # where the layers below find who asks
SAFE = ("GET", "HEAD", "OPTIONS")


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
        on_space = bool(self.environment.get("SPACE_ID"))
        self.frames = f"'self' {HUB}" if on_space else "'none'"
        # Where a page of another site may open the studio: in a window of its own, or as the hub
        # shows a Space.
        self.holders = ("document", "iframe") if on_space else ("document",)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        signed: Send = SignedAnswer(send, self.frames)
        if opens_page(scope):
            signed = RefusalPage(signed)
        scope = without_odd_range(scope)
        head = RequestHead(scope, rule_for(scope["method"], scope["path"]))
        if self.accounts is not None:
            head.account = self.accounts.of_request(HTTPConnection(scope))
        scope[PERSON] = head.person
        refused = self._refusal(head)
        if refused is not None:
            await self._refuse(head, refused, receive, signed)
        else:
            lingers = self._lingers(head)
            await BodyExchange(self.app, self.uploads, head, receive, signed, lingers).run()

    async def _refuse(
        self, head: RequestHead, answer: Response, receive: Receive, send: Send
    ) -> None:
        """Answer without reading; who is let in is read on for a while, or hears nothing of it."""
        if head.is_short:
            await answer(head.scope, receive, send)
            return
        answer.headers["Connection"] = "close"
        if self._lingers(head):
            send = LingeringAnswer(send, receive)
        await answer(head.scope, receive, send)

    def _lingers(self, head: RequestHead) -> bool:
        """Whether what comes after a refusal is let come: of strangers nothing more is read."""
        return self.accounts is None or head.account is not None

    def _refusal(self, head: RequestHead) -> Response | None:
        return (
            self._wrong_host(head)
            or self._wrong_origin(head)
            or self._wrong_person(head)
            or self._missing_slash(head)
            or _wrong_path(head)
            or self._wrong_file(head)
            or self._wrong_size(head)
        )

    def _wrong_host(self, head: RequestHead) -> Response | None:
        if self.accounts is not None and not names_are_given():
            return None
        try:
            check_host(HTTPConnection(head.scope))
        except HTTPException as error:
            return PlainTextResponse(str(error.detail), error.status_code)
        return None

    def _wrong_origin(self, head: RequestHead) -> Response | None:
        """Refuse what a page of another site makes a browser send, except that it opens a page."""
        headers, method = head.headers, head.scope["method"]
        site = headers.get("sec-fetch-site")
        if site in ("cross-site", "same-site"):
            opens = headers.get("sec-fetch-mode") == "navigate" and method in SAFE
            if opens and headers.get("sec-fetch-dest") in self.holders:
                return None
        elif method in SAFE or head.is_own(site):
            return None
        return refusal(403, "Another site cannot do anything here.", "Open the studio itself.")

    def _wrong_person(self, head: RequestHead) -> Response | None:
        who, account, path = head.rule.who, head.account, head.scope["path"]
        if self.accounts is None:
            return closed() if who is Who.NOBODY or head.is_of_logins else None
        if who is Who.ANYBODY:
            return None
        if account is None:
            if head.scope["method"] in SAFE and path in PAGES:
                return RedirectResponse("/login", 303)
            return refusal(401, "You are not logged in.", "Log in, then try again.")
        if who is Who.NOBODY:
            return closed()
        if who is Who.LEAD and account.role != "lead":
            if path == "/" and head.scope["method"] in SAFE:
                return RedirectResponse(HOME["annotator"], 303)
            return refusal(403, "Only a lead can do that.", "Ask a lead.")
        return None

    def _missing_slash(self, head: RequestHead) -> Response | None:
        if head.scope["path"] == ANNOTATE and head.scope["method"] in SAFE:
            return RedirectResponse(HOME["annotator"], 303)
        return None

    def _wrong_file(self, head: RequestHead) -> Response | None:
        _, mark, file = head.scope["path"].partition("/gradio_api/file=")
        if not mark or self.uploads.may_read(head.person, file):
            return None
        return refusal(403, "This file is not yours.", "Ask whoever sent it.")

    def _wrong_size(self, head: RequestHead) -> Response | None:
        length = head.length
        if len(head.scope["headers"]) > MOST_HEADERS:
            return refusal(431, "The request has too many headers.", "Reload the page.")
        if length is None:
            return refusal(400, "The request does not say how long it is.", "Reload the page.")
        if head.rule.upload:
            try:
                self.uploads.admit(head.person, length)
            except StudioError as error:
                return upload_refused(error)
        elif length > head.limit:
            return too_long(head.limit)
        return None


def _wrong_path(head: RequestHead) -> Response | None:
    """Refuse the name of a file that can be none: looking for it is an error, in Gradio too."""
    if can_be_path(head.scope["path"]):
        return None
    return refusal(404, "There is no such address.", "Open the studio's own page.")
