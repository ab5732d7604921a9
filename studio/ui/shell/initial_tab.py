"""The tab that an address names, open from the start.

Gradio's page opens its first tab and can be sent to another one afterwards: then both are drawn,
and what both show is asked for. So the page is sent with the wanted one chosen.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.ui.shell.held_answer import HeldAnswer

TABS = "studio-tabs"
_BAR = f'"elem_id":"{TABS}"'.encode()


class OpenTab:
    """Middleware that chooses the tab of `/?tab=<name>` in the page it lets through.

    Args:
        names: The tabs there are.
    """

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = self._wanted(scope)
        await self.app(scope, receive, _Chosen(send, wanted) if wanted else send)

    def _wanted(self, scope: Scope) -> str:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            return ""
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("tab", [""])[0]
        return asked if asked in self.names else ""


class _Chosen(HeldAnswer):
    """Sends the page with the tab chosen."""

    def __init__(self, send: Send, wanted: str) -> None:
        super().__init__(send)
        self.selected = f'"selected":"{wanted}",'.encode()

    def changed(self, body: bytes, headers: MutableHeaders) -> bytes:
        return body.replace(_BAR, self.selected + _BAR, 1)
