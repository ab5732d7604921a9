"""Serving the application on a socket that is already bound."""

from __future__ import annotations

import os
import socket
import sys
import webbrowser

import uvicorn
from fastapi import FastAPI

from studio.api.connection_limits import BoundedConnection

GRACE_SECONDS = 3
MOST_CONNECTIONS = 800  # below the 1,024 files a process may have open on many machines


def serve(
    app: FastAPI, bound: socket.socket, open_browser: bool = False, name: str = "VLM Studio"
) -> None:
    """Serve until interrupted; prints what is at which address once it answers."""
    config = configuration(app)
    host, port = bound.getsockname()[:2]
    try:
        _Server(config, address(host, port), open_browser, name).run(sockets=[bound])
    except KeyboardInterrupt:
        sys.stdout.write("Stopped. Running trainings go on.\n")


def configuration(app: FastAPI, log_level: str = "warning") -> uvicorn.Config:
    """Build the settings of the server.

    What a proxy says of its clients' addresses is believed only of those that STUDIO_TRUSTED_PROXIES
    names: anybody can send such a header.
    """
    proxies = os.environ.get("STUDIO_TRUSTED_PROXIES", "").strip()
    return uvicorn.Config(
        app,
        log_level=log_level,
        timeout_graceful_shutdown=GRACE_SECONDS,
        http=BoundedConnection,
        ws="none",
        log_config=None,  # the studio's own log has it, with the rest
        limit_concurrency=MOST_CONNECTIONS,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or None,
        server_header=False,
    )


def address(host: str, port: int) -> str:
    """Return what to type into a browser on this machine."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, url: str, open_browser: bool, name: str) -> None:
        super().__init__(config)
        self.name = name
        self.url = url
        self.open_browser = open_browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self.name} is at {self.url}\n")
        sys.stdout.flush()
        if self.open_browser:
            webbrowser.open(self.url)
