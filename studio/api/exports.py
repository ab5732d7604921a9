"""Finished exports as files to download, and the list of them."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import StreamingResponse

from studio.annotation.export.kept_exports import KeptExport, archive, find_export, newest_exports
from studio.api.access.host_names import check_host
from studio.api.access.request_checks import StudioRoute
from studio.api.context import StudioContext
from studio.core.local_time import minute
from studio.core.paths import Workspace

MOST_LISTED = 50


def router(context: StudioContext) -> APIRouter:
    """Build the routes, bound to the workspace of `context`; leads only."""
    guards = [] if context.accounts else [Depends(check_host)]
    routes = APIRouter(prefix="/studio", route_class=StudioRoute, dependencies=guards)

    @routes.get("/exports/{name}.zip")
    def download(name: str, request: Request) -> StreamingResponse:
        context.user(request)
        if not context.is_lead(request):
            raise HTTPException(403, "Only leads take exports out.")
        folder = find_export(context.workspace, name)
        as_file = {"Content-Disposition": f'attachment; filename="{folder.name}.zip"'}
        return StreamingResponse(archive(folder), media_type="application/zip", headers=as_file)

    return routes


def download_link(kept: KeptExport) -> str:
    """Return a link that downloads an export, with its size."""
    words = f"Download (ZIP, {size(kept.size)})"
    return f'<a href="studio/exports/{escape(kept.name)}.zip" download>{escape(words)}</a>'


def past_exports(workspace: Workspace) -> str:
    """Return the exports there are, newest first, each to download."""
    kept, number = newest_exports(workspace, MOST_LISTED)
    if not kept:
        return ""
    head = "".join(f"<th>{cell}</th>" for cell in ("Made", "Export", "Rows", "Format", ""))
    lines = "".join(
        f"<tr><td>{minute(one.made_at)}</td><td>{escape(one.name)}</td>"
        f"<td>{one.rows or '–'}</td><td>{escape(one.format)}</td><td>{download_link(one)}</td></tr>"
        for one in kept
    )
    more = number - len(kept)
    older = f"<p>{more:,} older ones are in the folder exports of the workspace.</p>" * (more > 0)
    return (
        '<h3>Exports so far</h3><div class="tm-scroll"><table class="tm-votes">'
        f"<tr>{head}</tr>{lines}</table></div>{older}"
    )


def size(number: int) -> str:
    """Bytes as people say them: `1.2 MB`."""
    value = float(number)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
