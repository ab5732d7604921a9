"""Puts the page together: header, tabs in order, routes, and what may be served."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from pathlib import Path

import gradio as gr
from fastapi import FastAPI, Request
from gradio.utils import get_upload_folder

from studio.api import annotate as api
from studio.api import data as data_api
from studio.api import evaluations, exports, import_files
from studio.api import runs as runs_api
from studio.api.access import accounts_pages
from studio.api.access.gate import Gate
from studio.api.access.hub_login import HubAccounts, hub_login_router
from studio.api.access.login import health_router, login_router, only
from studio.api.access.page_user import PageUser
from studio.api.access.rules import ANNOTATE
from studio.api.after_response import AfterResponse
from studio.api.context import StudioContext
from studio.api.uploads import MAX_FILE, Uploads
from studio.core.paths import SAMPLES
from studio.ui.annotate import tab as annotate
from studio.ui.chat import tab as chat
from studio.ui.compat.gradio_parts import bound_fields, log_failed_events, slim_sessions
from studio.ui.data import tab as data
from studio.ui.evaluate import tab as evaluate
from studio.ui.events.event_guard import EventGuard
from studio.ui.rounds import tab as rounds
from studio.ui.runs import tab as runs
from studio.ui.shell import change_notification, initial_tab
from studio.ui.shell.header import PageHeader
from studio.ui.shell.heartbeats import Heartbeats
from studio.ui.shell.navigation import Shell
from studio.ui.shell.page_assets import PageModules, SafePage, style_sheets
from studio.ui.shell.theme import theme
from studio.ui.team import tab as team
from studio.ui.train import tab as train

TABS = {
    "data": ("Data", data.build),
    "annotate": ("Annotate", annotate.build),
    "team": ("Team", team.build),
    "train": ("Train", train.build),
    "runs": ("Runs", runs.build),
    "evaluate": ("Evaluate", evaluate.build),
    "rounds": ("Rounds", rounds.build),
    "chat": ("Chat", chat.build),
}
DAY = 86_400


def bound_gradio(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let Gradio keep no statistics of events: nobody reads them, the monitoring page is off.

    It would keep 10,000 events and put all of them into a table again after each one.
    """
    environment.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
    environment.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))


def build_page(context: StudioContext, names: tuple[str, ...] = tuple(TABS)) -> gr.Blocks:
    """Build the page with the tabs called `names`."""
    bound_gradio()
    with gr.Blocks(title="VLM Studio", analytics_enabled=False, delete_cache=(DAY, DAY)) as page:
        links = [gr.State(None) for _ in range(4)]
        header = PageHeader(context, names)
        header.layout()
        with gr.Tabs(elem_id=initial_tab.TABS) as bar:
            for name in names:
                title, build = TABS[name]
                with gr.Tab(title, id=name, elem_id=f"tab-{name}") as tab:
                    build(replace(context, shell=Shell(page, bar, tab, *links)))
        header.wire(page, bar, links[0])
    _unshown(page, links[0])
    _heard(page)
    return page


def _unshown(page: gr.Blocks, nothing: gr.State) -> None:
    """Events that show no progress tell no component of it.

    A page tells every component that any event ever reported to, each found by a walk through all
    components, whenever one event begins or ends: with a hundred it is busy for a second.
    """
    for event in page.fns.values():
        if event.show_progress == "hidden":
            event.show_progress_on = [nothing]


def _heard(page: gr.Blocks) -> None:
    """Let the last word of a field count, and every click on what a page draws itself.

    By default Gradio drops, without a word, whatever comes while an earlier event of the same
    handler is under way: the second of two choices, the end of what is typed, a click on another
    card of a list. A button that begins something keeps that: it must not begin twice.
    """
    events = [event for event in page.fns.values() if event.fn is not None]
    handlers = Counter(target for event in events for target in event.targets)
    for event in events:
        if event.trigger_mode != "once":
            continue
        sources = {(type(page.blocks.get(source)), name) for source, name in event.targets}
        if sources and all(name == "input" for _, name in sources):
            # To ask one handler again, Gradio asks all of the field: two that wait would take turns
            # without an end.
            alone = all(handlers[target] == 1 for target in event.targets)
            event.trigger_mode = "always_last" if alone else "multiple"
        elif sources and all(source is gr.HTML and name == "click" for source, name in sources):
            # Which card it was comes with the click, so that none stands for another.
            event.trigger_mode = "multiple"


def build_app(context: StudioContext, names: tuple[str, ...] = tuple(TABS)) -> FastAPI:
    """Build the whole web application; with accounts, annotators get a page of their own.

    Args:
        names: The tabs of everybody else's page.
    """
    app = FastAPI(title="VLM Studio", docs_url=None, redoc_url=None, openapi_url=None)
    accounts = context.accounts
    bound_fields()
    slim_sessions()
    log_failed_events()
    modules = PageModules()
    pages: dict[str, gr.Blocks] = {}
    app.add_middleware(AfterResponse)
    app.add_middleware(EventGuard, pages=pages)
    app.add_middleware(Heartbeats)
    app.add_middleware(initial_tab.OpenTab, names=names)
    app.add_middleware(SafePage, modules=modules)
    app.add_middleware(PageUser, accounts=accounts)
    # The last one added is asked first.
    app.add_middleware(Gate, accounts=accounts, uploads=Uploads(Path(get_upload_folder())))
    app.include_router(health_router())
    app.include_router(modules.router())
    annotating = api.router(context)  # under both addresses: one person has one rate of answers
    app.include_router(annotating)
    app.include_router(runs_api.router(context))
    app.include_router(evaluations.router(context))
    app.include_router(data_api.router(context))
    app.include_router(import_files.router(context))
    app.include_router(exports.router(context))
    app.include_router(change_notification.router(context, runs="runs" in names))
    if accounts is None:
        pages[""] = build_page(context, names)
        return _mount(app, pages[""], "/")
    accounts.sessions.keep_in(context.workspace.sessions)
    if isinstance(accounts, HubAccounts):
        app.include_router(hub_login_router(accounts))
    else:
        app.include_router(login_router(accounts))
    app.include_router(accounts_pages.router(context))
    app.include_router(modules.router(), prefix=ANNOTATE)
    app.include_router(annotating, prefix=ANNOTATE)
    app.include_router(exports.router(context), prefix=ANNOTATE)
    app.include_router(change_notification.router(context, runs=False), prefix=ANNOTATE)
    pages[ANNOTATE] = build_page(context, ("annotate",))
    _mount(app, pages[ANNOTATE], ANNOTATE, only(accounts, "annotator", "lead"))
    pages[""] = build_page(context, names)
    return _mount(app, pages[""], "/", only(accounts, "lead"))


def _mount(
    app: FastAPI,
    page: gr.Blocks,
    path: str,
    allowed: Callable[[Request], str | None] | None = None,
) -> FastAPI:
    return gr.mount_gradio_app(
        app,
        page,
        path=path,
        auth_dependency=allowed,
        theme=theme(),
        css_paths=style_sheets(),
        allowed_paths=[str(SAMPLES)],
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        max_file_size=MAX_FILE,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )
