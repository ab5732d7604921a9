"""Routes by which the import form sends files: announced, then piece by piece, then put together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.formparsers import MultiPartException

from studio.api.access.host_names import own_host
from studio.api.access.request_checks import StudioRoute, check_change
from studio.api.context import StudioContext
from studio.api.upload_folders import (
    MOST_HEAD,
    MOST_PIECE_BYTES,
    UploadedFiles,
    UploadFolders,
    read_head,
)
from studio.core.errors import InputError

SHOWN_NAMES = 6
Key = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
Number = Annotated[int, Field(ge=0, le=2**53)]


class Announced(BaseModel):
    """Files about to be sent; `upload` is the one they join, empty for a new one."""

    model_config = ConfigDict(extra="forbid")

    files: Number
    bytes: Number
    largest: Number
    upload: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""


class PiecesRoute(StudioRoute):
    """A route that takes pieces of files."""

    longest = MOST_HEAD + MOST_PIECE_BYTES


def router(context: StudioContext) -> APIRouter:
    """Build the routes; leads only."""
    guards = [] if context.accounts else [Depends(own_host)]
    routes = APIRouter(prefix="/studio/uploads", route_class=StudioRoute, dependencies=guards)
    pieces = APIRouter(route_class=PiecesRoute)
    changes = [Depends(check_change)]

    @routes.post("", dependencies=changes)
    def begin(announced: Announced, request: Request) -> dict[str, str]:
        person, folders = _asked(context, request)
        key = folders.begin(
            person, announced.upload, announced.files, announced.bytes, announced.largest
        )
        return {"key": key}

    @pieces.post("/{key}/pieces", status_code=204, dependencies=changes)
    async def write(key: Key, request: Request) -> Response:
        person, folders = _asked(context, request)
        try:
            body = await request.body()
        except MultiPartException as error:  # the gate ended it, and says why where it can
            raise HTTPException(400, "The upload broke off.") from error
        line, ended, content = body.partition(b"\n")
        if not ended or len(line) > MOST_HEAD:
            raise InputError("The upload was cut off or mixed up.", remedy="Send the files again.")
        named = read_head(line)
        await run_in_threadpool(folders.write, person, key, named, content)
        return Response(status_code=204)

    @routes.post("/{key}/finish", dependencies=changes)
    def finish(key: Key, request: Request) -> dict[str, object]:
        person, folders = _asked(context, request)
        return _listed(folders.finish(person, key))

    @routes.get("/{key}")
    def listing(key: Key, request: Request) -> dict[str, object]:
        person, folders = _asked(context, request)
        return _listed(folders.find(person, key))

    @routes.post("/{key}/drop", status_code=204, dependencies=changes)
    def drop(key: Key, request: Request) -> Response:
        person, folders = _asked(context, request)
        folders.drop(person, key)
        return Response(status_code=204)

    routes.include_router(pieces)
    return routes


def _asked(context: StudioContext, request: Request) -> tuple[str, UploadFolders]:
    person = context.user(request)
    if not context.is_lead(request):
        raise HTTPException(403, "Only leads import data.")
    if context.uploads is None:
        raise HTTPException(404, "Nothing can be uploaded here.")
    return person, context.uploads


def _listed(found: UploadedFiles) -> dict[str, object]:
    """Return what the page shows of an upload."""
    names = sorted(found.sizes, key=lambda name: (name.count("/"), name))
    return {
        "upload": found.key,
        "label": found.label,
        "files": len(names),
        "bytes": found.bytes,
        "names": names[:SHOWN_NAMES],
    }
