"""What makes an open page look again: short words that change whenever something shown does.

The page asks for them (assets/web/shell/change-pulse.js) while somebody can see it: one for all that is told of
runs, one for the header, which says little of them and need not be drawn as often. A part that carries another word
asks for what it shows, so an answer that comes late and paints over a newer one is mended; a page
that nobody looks at costs nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from html import escape

from fastapi import APIRouter, Depends, Request, Response

from studio.api.access.host_names import check_host
from studio.api.access.request_checks import StudioRoute
from studio.api.context import StudioContext
from studio.evaluation.evaluation_store import EvaluationStore, current_status
from studio.evaluation.match import ENDING, MatchStore
from studio.launch.judge_job import going
from studio.launch.round_store import RoundStore
from studio.runs import queue
from studio.runs.run_summary import stamp
from studio.ui.runs.state import RunReader, RunSummary, current
from studio.ui.shell.notices import notices

HEADER_EVERY = 15.0
JUDGED_EVERY = 10.0

LOOK_AGAIN = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
    "trigger_mode": "always_last",
}
"""For the `tick` of such a component; a word that comes during an answer is not forgotten."""


def mark(word: str) -> str:
    """Return what a component carries to say when it was drawn: the word of before that."""
    return f'<i data-pulse="{escape(word)}" hidden></i>'


def pulse(context: StudioContext, runs: Iterable[RunSummary] | None) -> str:
    """Return a word that differs whenever anything of the runs, the queue or the journal does.

    What is drawn must be read after it, so that it is never older than the word it carries.

    Args:
        runs: None for whoever is not shown any.
    """
    shown = [str(context.journal and context.journal.state)]
    if runs is not None:
        shown += [item.detail_version for item in runs]
        shown.append(str(queue.is_paused(context.workspace)))
        shown.append(str(stamp(context.workspace.decisions)))
    return hashlib.sha256("|".join(shown).encode()).hexdigest()


def evaluations_word(context: StudioContext) -> str:
    """Return a word that differs whenever anything of the evaluations and matches does.

    What people and models say in a match is taken up every ten seconds.
    """
    workspace = context.workspace
    statuses = EvaluationStore(workspace).statuses()
    shown: list[object] = [(name, one.state, one.done) for name, one in statuses.items()]
    if any(one.state == "queued" for one in statuses.values()):  # it says what it waits for
        shown += [(run.run_id, run.status.state) for run in context.runs.list()]
        shown.append(queue.is_paused(workspace))
    matches = MatchStore(workspace)
    shown += [stamp(workspace.matches / f"{name}{ENDING}") for name in matches.ids()]
    shown += [stamp(place) for place in sorted((workspace.cache / "judges").glob("*.json"))]
    if going(workspace) or any(one.state == "open" for one in matches.list()):
        shown.append(int(time.time() // JUDGED_EVERY))
    return hashlib.sha256("|".join(map(str, shown)).encode()).hexdigest()[:16]


def rounds_word(context: StudioContext) -> str:
    """Return a word that differs whenever anything that rounds are read from does.

    What people label is taken up every ten seconds, once there is a round.
    """
    workspace = context.workspace
    names = RoundStore(workspace).ids()
    if not names:
        return "-"
    shown: list[object] = [*names, evaluations_word(context), int(time.time() // JUDGED_EVERY)]
    shown += [stamp(workspace.exports), stamp(workspace.decisions)]
    shown += [(run.run_id, run.status.state, run.status.step) for run in context.runs.list()]
    return hashlib.sha256("|".join(map(str, shown)).encode()).hexdigest()[:16]


def header_word(context: StudioContext, runs: Iterable[RunSummary] | None) -> str:
    """Return a word that differs whenever the header would say something else.

    The time left of a run, which changes with every step, is taken up every 15 seconds.
    """
    shown: list[object] = [context.journal and context.journal.state, notices(context)]
    run = None if runs is None else current(list(runs))
    if run is not None:
        status = run.run.status
        percent, when = int(100 * status.progress), int(status.updated // HEADER_EVERY)
        shown += [run.run.run_id, run.name, run.state, status.stage, percent, when]
        shown.append(queue.is_paused(context.workspace))
    elif runs is not None:
        evaluations = EvaluationStore(context.workspace)
        if name := evaluations.running():
            one = current_status(context.workspace.evaluation(name))
            shown += [name, int(100 * one.done / max(one.total, 1))]
    return hashlib.sha256("|".join(map(str, shown)).encode()).hexdigest()[:16]


def router(context: StudioContext, *, runs: bool = True) -> APIRouter:
    """Build the route, for everybody who is logged in.

    Args:
        runs: Whether it is for a page with runs, of which only a lead is told.
    """
    guards = [] if context.accounts else [Depends(check_host)]
    routes = APIRouter(prefix="/studio", route_class=StudioRoute, dependencies=guards)
    reader = RunReader(context.runs)

    @routes.get("/pulse")
    def read_pulse(request: Request) -> Response:
        context.user(request)
        told = runs and context.is_lead(request)
        seen = reader.list() if told else None
        words = f"{pulse(context, seen)} {header_word(context, seen)}"
        words += f" {evaluations_word(context)} {rounds_word(context)}" if told else " - -"
        return Response(words, media_type="text/plain", headers={"Cache-Control": "no-store"})

    return routes
