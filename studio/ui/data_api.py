"""Files of the Data tab: the rows an import left out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import FileResponse

from studio.errors import NotFoundError
from studio.ui.context import StudioContext
from studio.ui.guard import StudioRoute, check_host

Number = Annotated[int, Path(ge=1, le=2**53)]


def router(context: StudioContext) -> APIRouter:
    """The routes, bound to the workspace of `context`; leads only."""
    guards = [] if context.accounts else [Depends(check_host)]
    routes = APIRouter(prefix="/studio", route_class=StudioRoute, dependencies=guards)

    @routes.get("/imports/{number}/left-out.csv")
    def left_out(number: Number, request: Request) -> FileResponse:
        context.user(request)
        if not context.is_lead(request):
            raise HTTPException(403, "Only leads see the data.")
        path = context.workspace.left_out(number)
        if not path.is_file():
            raise NotFoundError(f"Import {number} left no rows out.", remedy="Reload the page.")
        return FileResponse(path, media_type="text/csv", filename=f"import-{number}-left-out.csv")

    return routes
