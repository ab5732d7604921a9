"""Downloads of a run: its metrics as a table, its log, and itself as a script or a notebook."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse

from studio.runs.curves import Diary, compared, table
from studio.runs.store import Run
from studio.services.eject import notebook, script
from studio.ui.context import StudioContext
from studio.ui.guard import StudioRoute, check_host

Beside = Annotated[str, Query(alias="with", max_length=1000)]
NOSNIFF = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}


def router(context: StudioContext) -> APIRouter:
    """The routes, for leads only."""
    guards = [] if context.accounts else [Depends(check_host)]
    routes = APIRouter(prefix="/studio/runs", route_class=StudioRoute, dependencies=guards)

    def found(run_id: str, request: Request) -> Run:
        context.user(request)
        if not context.is_lead(request):
            raise HTTPException(403, "Only leads see runs.")
        return context.runs.get(run_id)

    @routes.get("/{run_id}/metrics.csv")
    def metrics(run_id: str, request: Request, beside: Beside = "") -> Response:
        runs = [found(name, request) for name in (run_id, *filter(None, beside.split(",")))]
        diaries = {run.run_id: Diary(run.paths.events).refresh() for run in runs}
        text = compared(diaries) if beside else table(diaries[run_id])
        return _download(text, "text/csv", runs[0], "csv")

    @routes.get("/{run_id}/log.txt")
    def log(run_id: str, request: Request) -> Response:
        run = found(run_id, request)
        if not run.paths.log.is_file():
            raise HTTPException(404, "The run has written no log yet.")
        return FileResponse(run.paths.log, media_type="text/plain; charset=utf-8", headers=NOSNIFF)

    @routes.get("/{run_id}/train.py")
    def train(run_id: str, request: Request) -> Response:
        run = found(run_id, request)
        return _download(script(run, context.workspace), "text/x-python", run, "py")

    @routes.get("/{run_id}/train.ipynb")
    def train_notebook(run_id: str, request: Request) -> Response:
        run = found(run_id, request)
        made = notebook(script(run, context.workspace))
        return _download(made, "application/x-ipynb+json", run, "ipynb")

    return routes


def _download(text: str, media_type: str, run: Run, ending: str) -> Response:
    name = f'attachment; filename="{run.run_id}.{ending}"'
    return Response(text, media_type=media_type, headers={"Content-Disposition": name, **NOSNIFF})
