"""What a Space without logins serves: one page that says how to open the studio, and nothing else.

Without logins everybody is the lead. On this machine that is right; on a Space it would let each
visitor import, train, delete, and push with the Space's token.
"""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

from studio.api.access.page_frame import page, styles
from studio.api.access.request_checks import ReadRoute


def closed_app(space: str) -> FastAPI:
    """The application of the Space `space`, `OWNER/NAME`; it answers with one page and its style."""
    app = FastAPI(title="VLM Studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.router.route_class = ReadRoute
    settings = ""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", space):
        settings = f"https://huggingface.co/spaces/{space}/settings"

    @app.get("/")
    def say() -> HTMLResponse:
        return page("closed", settings=settings)

    @app.get("/login/access.css")
    def style() -> Response:
        return styles()

    return app
