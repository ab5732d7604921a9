"""What every route of the studio checks before it runs, and how it says no.

A page of another site can send requests to a studio on this machine. So a change needs a header
such a page cannot send, and its origin must be the studio's own (`host_names`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from studio.api.access.host_names import is_own_origin
from studio.core.errors import BusyError, ConflictError, InputError, NotFoundError, StudioError
from studio.core.logs import log_told
from studio.core.value_problems import sentence

HEADER = "x-studio"
FORM = "application/x-www-form-urlencoded"
MAX_BODY = 64 * 1024
STATUS = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (BusyError, 503),
    (InputError, 422),
    (StudioError, 500),
)


class ReadRoute(APIRoute):
    """A route that is asked by HEAD wherever it is by GET: the server leaves the content out."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **named: Any) -> None:
        methods = set(named.pop("methods", None) or ("GET",))
        if "GET" in methods:
            methods.add("HEAD")
        super().__init__(path, endpoint, methods=methods, **named)


class FormRoute(ReadRoute):
    """A route of a page with forms, as browsers send them: names and texts, in UTF-8.

    The other kind of form says itself how its texts are encoded, and may name an encoding that
    makes no text of them.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
            if request.method == "POST" and kind != FORM:
                return refusal(415, "This is not how the page sends its form.", "Reload the page.")
            return await handle(request)

        return guarded


class StudioRoute(ReadRoute):
    """A route whose bodies are bounded and whose errors are `{"message", "remedy", "field"}`."""

    longest = MAX_BODY

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                check_size(request, self.longest)
                return await handle(request)
            except StudioError as error:
                log_told(error)
                return refusal(status_of(error), error.message, error.remedy, error.field)
            except RequestValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"][1:])
                return refusal(422, sentence(field, first), "Reload the page.", field)
            except HTTPException as error:
                return refusal(error.status_code, str(error.detail))

        return guarded


def refusal(status: int, message: str, remedy: str = "", field: str = "") -> JSONResponse:
    return JSONResponse({"message": message, "remedy": remedy, "field": field}, status)


def status_of(error: StudioError) -> int:
    return next(status for kind, status in STATUS if isinstance(error, kind))


def check_size(request: Request, longest: int = MAX_BODY) -> None:
    """Refuse a body over `longest` bytes, or one that doesn't say how long it is."""
    if request.method in ("GET", "HEAD"):
        return
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or len(length) > 15:
        raise HTTPException(411, "The request must say how long it is.")
    if int(length) > longest:
        raise HTTPException(413, f"The request is longer than {longest >> 10} KB.")


async def check_change(request: Request) -> None:
    """Dependency of routes that change something: only the studio's own page may call them.

    Not a plain function: FastAPI would hand each call to a thread.
    """
    if not request.headers.get(HEADER):
        raise HTTPException(403, f"The header {HEADER.title()} is missing.")
    if not is_own_origin(request):
        raise HTTPException(403, "Another site cannot change anything here.")
