"""The page's own scripts as one file, and the page sent so that no other script can run in it.

Each script tag of the page carries a word that the policy sent along names; a tag or an attribute
that somebody's text might bring into the page does not, and is not run. `unsafe-eval` is there
because Gradio makes functions of text (`js=` of events, `js_on_load` of components).
"""

from __future__ import annotations

import gzip
import hashlib
import secrets

from fastapi import APIRouter, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.access.request_checks import ReadRoute
from studio.api.access.rules import HOME
from studio.api.access.security_headers import policy
from studio.core.paths import ASSETS
from studio.ui.shell.theme import SCRIPTS

PAGES = tuple(HOME.values())
_TAG, _GRADIO = b"<script", b'<script type="module"'


class PageScripts:
    """All scripts of the page in one file, named by its content."""

    def __init__(self) -> None:
        texts = ((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
        self.content = ";\n".join(texts).encode()
        self.zipped = gzip.compress(self.content, 6, mtime=0)
        self.name = f"page-{hashlib.sha256(self.content).hexdigest()[:16]}.js"

    def router(self) -> APIRouter:
        """The route that hands the file out."""
        routes = APIRouter(prefix="/studio", route_class=ReadRoute)

        @routes.get(f"/{self.name}")
        async def scripts(request: Request) -> Response:
            headers = {
                "Cache-Control": "private, max-age=31536000, immutable",
                "Vary": "Accept-Encoding",
            }
            content = self.content
            if "gzip" in request.headers.get("accept-encoding", ""):
                content, headers["Content-Encoding"] = self.zipped, "gzip"
            return Response(content, media_type="text/javascript", headers=headers)

        return routes


class SafePage:
    """Middleware that puts the scripts and their word into the page it lets through."""

    def __init__(self, app: ASGIApp, scripts: PageScripts) -> None:
        self.app = app
        self.tag = f'<script defer src="studio/{scripts.name}"></script>'.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in PAGES
        await self.app(scope, receive, _Page(send, self.tag) if is_page else send)


class _Page:
    """Holds a page back until it is whole."""

    def __init__(self, send: Send, tag: bytes) -> None:
        self.send = send
        self.tag = tag
        self.start: Message = {}
        self.parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        if message["type"] != "http.response.body":
            await self.send(message)
            return
        self.parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        nonce = secrets.token_urlsafe(16)
        # Before Gradio's own script: the page's is there when its components are built.
        body = b"".join(self.parts).replace(_GRADIO, self.tag + _GRADIO, 1)
        body = body.replace(_TAG, f'<script nonce="{nonce}"'.encode())
        headers = MutableHeaders(raw=self.start["headers"])
        headers["content-length"] = str(len(body))
        headers["content-security-policy"] = policy(f"'self' 'nonce-{nonce}' 'unsafe-eval'")
        headers["cache-control"] = "no-store"
        await self.send(self.start)
        await self.send({"type": "http.response.body", "body": body})
