"""Files of the Data tab: the rows an import left out, the report of a check."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import FileResponse, JSONResponse

from studio.api.access.host_names import check_host
from studio.api.access.request_checks import StudioRoute
from studio.api.context import StudioContext
from studio.core.errors import NotFoundError
from studio.preflight.client import kept_report

Number = Annotated[int, Path(ge=1, le=2**53)]


def router(context: StudioContext) -> APIRouter:
    """Build the routes, bound to the workspace of `context`; leads only."""
    guards = [] if context.accounts else [Depends(check_host)]
    routes = APIRouter(prefix="/studio", route_class=StudioRoute, dependencies=guards)

    @routes.get("/imports/{number}/left-out.csv")
    def left_out(number: Number, request: Request) -> FileResponse:
        _check_lead(context, request)
        path = context.workspace.left_out(number)
        if not path.is_file():
            raise NotFoundError(f"Import {number} left no rows out.", remedy="Reload the page.")
        return FileResponse(path, media_type="text/csv", filename=f"import-{number}-left-out.csv")

    @routes.get("/checks/report.json")
    def report(request: Request, dataset: str = "") -> JSONResponse:
        _check_lead(context, request)
        kept = kept_report(context.workspace, dataset)
        if kept is None:
            raise NotFoundError("This dataset has not been checked.", remedy="Check it first.")
        as_file = {"Content-Disposition": 'attachment; filename="check.json"'}
        return JSONResponse(kept.report.to_json(), headers=as_file)

    return routes


def _check_lead(context: StudioContext, request: Request) -> None:
    context.user(request)
    if not context.is_lead(request):
        raise HTTPException(403, "Only leads see the data.")
