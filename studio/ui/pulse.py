"""What makes an open page look again: a short word that changes whenever something shown does.

The page asks for it (assets/studio.js) while somebody can see it, and only a new word makes its
parts ask for what they show; a page that nobody looks at costs nothing.
"""

from __future__ import annotations

import hashlib

from fastapi import APIRouter, Depends, Request, Response

from studio.runs import queue
from studio.ui.context import StudioContext
from studio.ui.guard import StudioRoute, check_host
from studio.ui.runs_state import RunReader

TICK = (
    "document.addEventListener('studio:pulse', () => {"
    " if (element.offsetParent !== null) trigger('tick'); });"
)
"""`js_on_load` of a component that looks again, by its `tick`, when it can be seen."""

LOOK_AGAIN = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "always_last",
}
"""For the `tick` of such a component; a word that comes during an answer is not forgotten."""


def pulse(context: StudioContext, reader: RunReader, lead: bool) -> str:
    """A word that differs whenever anything of the runs, the queue or the journal does."""
    shown = [str(context.journal and context.journal.state)]
    if lead:
        shown += [item.detail_version for item in reader.list()]
        shown.append(str(queue.is_paused(context.workspace)))
    return hashlib.sha256("|".join(shown).encode()).hexdigest()


def router(context: StudioContext) -> APIRouter:
    """The route, for everybody who is logged in; of runs only a lead is told."""
    guards = [] if context.accounts else [Depends(check_host)]
    routes = APIRouter(prefix="/studio", route_class=StudioRoute, dependencies=guards)
    reader = RunReader(context.runs)

    @routes.get("/pulse")
    def read_pulse(request: Request) -> Response:
        context.user(request)
        word = pulse(context, reader, context.is_lead(request))
        return Response(word, media_type="text/plain", headers={"Cache-Control": "no-store"})

    return routes
