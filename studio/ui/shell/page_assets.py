"""Serves the page's own modules and styles, and sends the page so that no other script can run.

The modules lie in assets/web. They are served as they are, under a folder named by what they hold
together: a browser keeps them for good, and one changed file is a new folder, in which relative
imports find each other. The page names all of them in advance, so that none waits for the module
that imports it.

Each script tag of the page carries a word that the policy sent along names; a tag or an attribute
that somebody's text might bring into the page does not, and is not run. `unsafe-eval` is there
because Gradio makes functions of text (`js=` of events, `js_on_load` of components).
"""

from __future__ import annotations

import gzip
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.api.access.request_checks import ReadRoute
from studio.api.access.rules import HOME
from studio.api.access.security_headers import policy
from studio.core.paths import WEB
from studio.ui.shell.held_answer import HeldAnswer

PAGES = tuple(HOME.values())
MAIN = "main.js"
_TAG, _GRADIO = b"<script", b'<script type="module"'


def style_sheets() -> list[Path]:
    """Find the style sheets of all features; those that features share come first."""
    return sorted(WEB.glob("*/*.css"), key=lambda path: (path.parent.name != "shared", path))


@dataclass(frozen=True)
class ModuleFile:
    """A module as it is sent."""

    content: bytes
    zipped: bytes


class PageModules:
    """All modules of the page, in one folder named by their contents.

    Attributes:
        files: By path inside the folder. Nothing else is served, whatever lies on the disk.
        folder: Its address, relative to the page's.
    """

    def __init__(self, root: Path = WEB) -> None:
        self.files: dict[str, ModuleFile] = {}
        hashed = hashlib.sha256()
        for path in sorted(root.rglob("*.js")):
            name, content = path.relative_to(root).as_posix(), path.read_bytes()
            self.files[name] = ModuleFile(content, gzip.compress(content, 6, mtime=0))
            hashed.update(f"{name}\n{len(content)}\n".encode() + content)
        self.folder = f"web/{hashed.hexdigest()[:16]}"

    def tags(self) -> bytes:
        """Write the tags that load them: the first module, and a preload of each other."""
        address = f"studio/{self.folder}"
        preloads = "".join(
            f'<link rel="modulepreload" href="{address}/{name}">' for name in self.files
        )
        return f'{preloads}<script type="module" src="{address}/{MAIN}"></script>'.encode()

    def router(self) -> APIRouter:
        """Make the route that hands the files out."""
        routes = APIRouter(prefix="/studio", route_class=ReadRoute)

        @routes.get(f"/{self.folder}/{{module:path}}")
        async def read_module(module: str, request: Request) -> Response:
            file = self.files.get(module)
            if file is None:
                raise HTTPException(404)
            headers = {
                "Cache-Control": "private, max-age=31536000, immutable",
                "Vary": "Accept-Encoding",
            }
            content = file.content
            if "gzip" in request.headers.get("accept-encoding", ""):
                content, headers["Content-Encoding"] = file.zipped, "gzip"
            return Response(content, media_type="text/javascript", headers=headers)

        return routes


class SafePage:
    """Middleware that puts the modules and the scripts' word into the page it lets through."""

    def __init__(self, app: ASGIApp, modules: PageModules) -> None:
        self.app = app
        self.tags = modules.tags()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in PAGES
        await self.app(scope, receive, _Page(send, self.tags) if is_page else send)


class _Page(HeldAnswer):
    """Sends a page with the tags of the scripts, and a random word by which scripts may run."""

    def __init__(self, send: Send, tags: bytes) -> None:
        super().__init__(send)
        self.tags = tags

    def changed(self, body: bytes, headers: MutableHeaders) -> bytes:
        nonce = secrets.token_urlsafe(16)
        # Before Gradio's own module: modules run in the order of their tags, so the page's hooks
        # are there when its components are built.
        body = body.replace(_GRADIO, self.tags + _GRADIO, 1)
        headers["content-security-policy"] = policy(f"'self' 'nonce-{nonce}' 'unsafe-eval'")
        headers["cache-control"] = "no-store"
        return body.replace(_TAG, f'<script nonce="{nonce}"'.encode())
