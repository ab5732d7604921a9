"""Downloads of a run: its metrics as a table, and itself as a script or a notebook."""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from studio.runs.curves import Diary, table
from studio.runs.store import Run
from studio.services.eject import notebook, script
from studio.ui.context import StudioContext
from studio.ui.guard import StudioRoute, check_host

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
    def metrics(run_id: str, request: Request) -> Response:
        run = found(run_id, request)
        return _download(table(Diary(run.paths.events).refresh()), "text/csv", run, "csv")

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
