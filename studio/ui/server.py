"""Serving the application on a socket that is already bound."""

from __future__ import annotations

import socket
import sys
import webbrowser

import uvicorn
from fastapi import FastAPI

GRACE_SECONDS = 3


def serve(app: FastAPI, bound: socket.socket, open_browser: bool = False) -> None:
    """Serve until interrupted; prints the address once pages are answered."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws="none",
        log_config=None,
    )
    host, port = bound.getsockname()[:2]
    try:
        _Server(config, address(host, port), open_browser).run(sockets=[bound])
    except KeyboardInterrupt:
        sys.stdout.write("Stopped. Running trainings go on.\n")


def address(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, url: str, open_browser: bool) -> None:
        super().__init__(config)
        self.url = url
        self.open_browser = open_browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"VLM Studio is at {self.url}\n")
        sys.stdout.flush()
        if self.open_browser:
            webbrowser.open(self.url)
