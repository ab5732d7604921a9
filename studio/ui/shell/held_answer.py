"""An answer to a request that is held back until it is whole, changed, and sent."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send


class HeldAnswer:
    """Takes the messages of an answer in the place of `send`."""

    def __init__(self, send: Send) -> None:
        self.send = send
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
        headers = MutableHeaders(raw=self.start["headers"])
        body = self.changed(b"".join(self.parts), headers)
        headers["content-length"] = str(len(body))
        await self.send(self.start)
        await self.send({"type": "http.response.body", "body": body})

    def changed(self, body: bytes, headers: MutableHeaders) -> bytes:
        """Return what is sent for a whole body; its headers may be changed too."""
        raise NotImplementedError
