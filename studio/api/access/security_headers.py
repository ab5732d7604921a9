"""The headers every answer carries: what its page may load, and who may show or read it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

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


def policy(scripts: str) -> str:
    """Return the content security policy of a page with these sources of scripts."""
    return "; ".join(f"{name} {value}" for name, value in {**POLICY, "script-src": scripts}.items())


@dataclass
class SignedAnswer:
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
