"""Puts the page together: header, tabs in order, routes, and the server around them."""

from __future__ import annotations

import importlib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
from fastapi import FastAPI

from studio.paths import ASSETS, Workspace
from studio.runs.store import RunStore
from studio.ui.context import Shell, StudioContext
from studio.ui.header import Header
from studio.ui.theme import SCRIPT, STYLE, theme

TABS = {"data": "Data", "annotate": "Annotate", "train": "Train", "runs": "Runs", "chat": "Chat"}
MAX_UPLOAD = "2gb"
DAY = 86_400


def open_context(folder: str | None = None) -> StudioContext:
    """The services of the workspace in `folder`; nothing is started yet."""
    workspace = Workspace.locate(folder)
    return StudioContext(
        workspace=workspace,
        store=_service("studio.annotation", "AnnotationStore", workspace.database_url),
        images=_service("studio.data.images", "ImageStore", workspace),
        runs=RunStore(workspace),
        supervisor=_service("studio.services.supervisor", "Supervisor", workspace),
        planner=_service("studio.services.planner", "Planner", workspace),
        inference=_service("studio.services.inference", "InferenceClient", workspace),
    )


def _service(module: str, name: str, *arguments):
    if not _exists(module):
        return None
    found = getattr(importlib.import_module(module), name, None)
    return found and found(*arguments)


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def build_page(context: StudioContext, tabs: dict[str, str] = TABS) -> gr.Blocks:
    """The page with `tabs` (id to title)."""
    with gr.Blocks(title="VLM Studio", analytics_enabled=False, delete_cache=(DAY, DAY)) as page:
        links = [gr.State(None) for _ in range(4)]
        header = Header(context)
        header.layout()
        with gr.Tabs(elem_id="studio-tabs") as bar:
            for name, title in tabs.items():
                if not _exists(f"studio.ui.tabs.{name}"):
                    continue
                with gr.Tab(title, id=name, elem_id=f"tab-{name}") as tab:
                    module = importlib.import_module(f"studio.ui.tabs.{name}")
                    module.build(replace(context, shell=Shell(page, bar, tab, *links)))
        header.wire(page, bar, links[0])
    return page


def build_app(context: StudioContext) -> FastAPI:
    """The whole web application."""
    app = FastAPI(title="VLM Studio", docs_url=None, redoc_url=None, openapi_url=None)
    if _exists("studio.ui.api"):
        app.include_router(importlib.import_module("studio.ui.api").router(context))
    return mount(app, context, build_page(context))


def mount(app: FastAPI, context: StudioContext, page: gr.Blocks, path: str = "/") -> FastAPI:
    """Serve `page` at `path`, closed by default."""
    return gr.mount_gradio_app(
        app,
        page,
        path=path,
        theme=theme(),
        css_paths=_existing(STYLE, *(ASSETS / f"{tab}.css" for tab in TABS)),
        head=_scripts(),
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )


def _existing(*paths: Path) -> list[Path]:
    return [path for path in paths if path.is_file()]


def _scripts() -> str:
    return "".join(
        f"<script>{path.read_text(encoding='utf-8')}</script>"
        for path in _existing(SCRIPT, *sorted(ASSETS.glob("annotate*.js")))
    )
