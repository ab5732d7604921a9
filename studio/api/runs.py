"""Downloads of a run: its metrics as a table, its log, and itself as a script, a notebook or a job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse
from huggingface_hub import HfApi
from pydantic import BaseModel, Field

from studio.api.access.host_names import check_host
from studio.api.access.request_checks import StudioRoute
from studio.api.context import StudioContext
from studio.core.errors import ConflictError
from studio.launch.hf_jobs import build_job, unset
from studio.launch.slurm import SlurmJob, slurm_script
from studio.launch.training_script import notebook, script
from studio.runs.curves import Diary, compared, table
from studio.runs.store import Run

ACCOUNT = "<account>"
Beside = Annotated[str, Query(alias="with", max_length=1000)]
NOSNIFF = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}


class Cluster(BaseModel):
    """What is asked of a cluster; see `studio.launch.slurm.SlurmJob`."""

    nodes: int = Field(1, ge=1, le=1024)
    gpus: int = Field(1, ge=1, le=64)
    hours: int = Field(24, ge=1, le=8760)
    partition: str = Field("", max_length=200)
    account: str = Field("", max_length=200)
    setup: str = Field("", max_length=200)

    def slurm(self) -> SlurmJob:
        return SlurmJob(**{name: value for name, value in self if value != ""})


def router(context: StudioContext) -> APIRouter:
    """Build the routes, for leads only."""
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

    _elsewhere(routes, context, found)
    return routes


def _elsewhere(
    routes: APIRouter, context: StudioContext, found: Callable[[str, Request], Run]
) -> None:
    """What other machines are given to train a run."""
    packing = threading.Lock()  # two pages that look at a run at once share the folder it fills

    @routes.get("/{run_id}/run.sbatch")
    def sbatch(run_id: str, request: Request, job: Annotated[Cluster, Query()]) -> Response:
        run = found(run_id, request)
        return _download(slurm_script(run, job.slurm()), "text/x-shellscript", run, "sbatch")

    @routes.get("/{run_id}/job")
    def job(run_id: str, request: Request) -> dict[str, Any]:
        run = found(run_id, request)
        if run.status.active:
            raise ConflictError(
                "The job was sent already.", remedy="Its log says what became of it."
            )
        with packing:
            made = build_job(run, context.workspace, ACCOUNT)
        return {"sent": made.to_json(), "trouble": _of_secrets(unset(made.secrets, HfApi()))}


def _of_secrets(names: list[str]) -> str:
    if not names:
        return ""
    return f"Not set on this machine, so the job would be refused: {', '.join(names)}."


def _download(text: str, media_type: str, run: Run, ending: str) -> Response:
    name = f'attachment; filename="{run.run_id}.{ending}"'
    return Response(text, media_type=media_type, headers={"Content-Disposition": name, **NOSNIFF})
