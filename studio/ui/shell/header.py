"""The line above the tabs: product, workspace, what is running, light or dark."""

from __future__ import annotations

import time
from html import escape
from typing import Any

import gradio as gr

from studio.annotation.database.journal import JournalState
from studio.api.context import LOCAL_USER, StudioContext
from studio.core.errors import StudioError
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_store import EvaluationStore
from studio.runs import queue
from studio.ui.events.event_data import text
from studio.ui.runs.run_header import STAGES
from studio.ui.runs.state import RunReader, RunSummary, current
from studio.ui.shared.html import bar, duration
from studio.ui.shared.page_scripts import on_load
from studio.ui.shell.change_notification import LOOK_AGAIN, header_word, mark
from studio.ui.shell.navigation import go_to, link
from studio.ui.shell.notices import notices

MARK = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'aria-hidden="true"><rect x="3" y="4" width="18" height="16" rx="3"/>'
    '<path d="M12 4v16"/><path d="M3 7a3 3 0 0 1 3-3h6v16H6a3 3 0 0 1-3-3z" '
    'fill="currentColor" stroke="none"/></svg>'
)

NOTHING = '<span class="quiet">nothing running</span>'
LOG_OUT = '<a class="quiet" href="/logout">Log out</a>'
ACCOUNT = '<a class="quiet" href="/account">My account</a>'
ACCOUNTS = '<a class="quiet" href="/accounts">Accounts</a>'


class PageHeader:
    """Header of the page with the tabs called `tabs`; `reader` is shared by all who look at it."""

    def __init__(self, context: StudioContext, tabs: tuple[str, ...]) -> None:
        self.context = context
        self.tabs = tabs
        self.reader = RunReader(context.runs)

    def layout(self) -> None:
        """Draw it."""
        self.line = gr.HTML(self.html(), js_on_load=on_load("header"), elem_id="studio-header")

    def wire(self, page: gr.Blocks, tabs: gr.Tabs, show_run: gr.State) -> None:
        """Keep it up to date, and let a click on the run lead to Runs."""
        quick: dict[str, Any] = {
            "queue": False,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        page.load(self.shown, None, self.line, **quick)
        self.line.tick(self.shown, None, self.line, **LOOK_AGAIN)
        queued = {**quick, "queue": True}  # only these tell the listeners of a state
        self.line.click(self.follow, None, [show_run, tabs], **queued)
        self.line.submit(self.reopen, None, tabs, **quick)

    def follow(self, event: gr.EventData) -> tuple[Any, Any]:
        """Open the run that was clicked, or the tab of what is evaluated."""
        wanted = text(event, "tab")
        if wanted:
            return gr.skip(), go_to(wanted) if wanted in self.tabs else gr.skip()
        return link(text(event, "run")), go_to("runs")

    def reopen(self, event: gr.EventData) -> Any:
        """Open the tab that the address names."""
        wanted = text(event, "tab")
        return go_to(wanted) if wanted in self.tabs else gr.skip()

    def shown(self, request: gr.Request) -> str:
        """Return the line as whoever sent `request` sees it."""
        return self.html(user(self.context, request))

    def html(self, who: str = "") -> str:
        """Return the line as it is now; `who` says whose page it is."""
        runs = self.reader.list() if "runs" in self.tabs else None
        word = header_word(self.context, runs)
        paused = queue.is_paused(self.context.workspace)
        running = "" if runs is None else self._running(current(runs), paused)
        leave = LOG_OUT if self.context.accounts is not None else ""
        if leave:
            leave = (ACCOUNTS if "team" in self.tabs else "") + ACCOUNT + leave
        kept = journal(self.context.journal.state) if self.context.journal else ""
        line = header(self.context.workspace.root.name, kept + running + who + leave)
        return mark(word) + line + self._notices()

    def _running(self, run: RunSummary | None, paused: bool) -> str:
        if run is not None:
            return _run(run, paused)
        store = EvaluationStore(self.context.workspace)
        try:
            return _evaluation(store.get(store.running())) if store.running() else NOTHING
        except StudioError:  # deleted or damaged since it was found
            return NOTHING

    def _notices(self) -> str:
        """Return what only a lead is told; an annotator has a page of their own."""
        if self.context.accounts is not None and self.tabs == ("annotate",):
            return ""
        return "".join(
            f'<div class="studio-notice" role="alert">{escape(one)}</div>'
            for one in notices(self.context)
        )


def header(workspace: str, right: str) -> str:
    """Return the line as HTML; `right` goes before the switch for light and dark."""
    return (
        f'<div class="studio-header"><span class="studio-mark">{MARK}VLM Studio</span>'
        f'<span class="workspace" title="Workspace">{escape(workspace)}</span>'
        f'<span class="space"></span>{right}'
        '<button data-studio="theme" aria-label="Light or dark" title="Light or dark">◐</button>'
        "</div>"
    )


def user(context: StudioContext, request: gr.Request) -> str:
    """Return who is logged in, or under which name labels are saved without logins."""
    if context.accounts is None:
        title = f"Nobody logs in here: labels are saved under the name {LOCAL_USER}"
        return f'<span class="who" title="{escape(title)}">{escape(LOCAL_USER)}</span>'
    account = context.accounts.of_request(request)
    if account is None:
        return ""
    title = f"Logged in as {account.name}, {account.role}: labels are saved under this name"
    return f'<span class="who" title="{escape(title)}">{escape(account.name)}</span>'


def journal(state: JournalState) -> str:
    """Return whether labels reach the journal, for everybody to see."""
    when = (
        "never"
        if state.pushed_at is None
        else time.strftime("%H:%M", time.localtime(state.pushed_at))
    )
    if state.failing:
        title = escape(f"{state.problem}. Tell the lead; keep this machine running.")
        return (
            f'<span class="field-error" role="alert" title="{title}">Labels are on this machine '
            f"only; last copied to the hub: {when}</span>"
        )
    return f'<span class="quiet">labels copied to the hub: {when}</span>'


def _evaluation(evaluation: Evaluation) -> str:
    """Draw an evaluation, or answers being written, that keeps the machine busy."""
    done = evaluation.status.done / max(evaluation.status.total, 1)
    drawn = bool(evaluation.request.draws)
    name, tab = ("Writing answers", "data") if drawn else ("Evaluating", "evaluate")
    return (
        f'<button class="running" data-evaluation="{escape(evaluation.evaluation_id)}" '
        f'data-tab="{tab}" title="Show it"><span aria-hidden="true">▶</span>'
        f'<span class="name">{name}</span>{bar(done)}<span>{100 * done:.0f} %</span></button>'
    )


def _run(current: RunSummary, paused: bool) -> str:
    status = current.run.status
    if status.state == "queued":
        words = "queue paused" if paused else "waits for its turn"
    elif current.state == "stalled":
        words = "no sign of life"
    elif not status.progress and status.stage != "training":
        words = STAGES.get(status.stage, "Starting").lower()
    else:
        words = f"{100 * status.progress:.0f} %"
        if current.seconds_left is not None:
            words += f" · {duration(current.seconds_left)} left"
    return (
        f'<button class="running" data-run="{escape(current.run.run_id)}" title="Show this run">'
        f'<span aria-hidden="true">{"▶" if status.active else "○"}</span><span class="name">{escape(current.name)}</span>'
        f"{bar(status.progress)}<span>{escape(words)}</span></button>"
    )
