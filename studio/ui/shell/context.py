"""What every tab is handed: the workspace's stores and services, and the way to other tabs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from fastapi import HTTPException

if TYPE_CHECKING:
    from studio.annotation import AnnotationStore
    from studio.annotation.database.journal import Journal
    from studio.api.access.accounts import Accounts
    from studio.core.paths import Workspace
    from studio.data.image_store import ImageStore
    from studio.inference.client import InferenceClient
    from studio.launch.planner import Planner
    from studio.launch.presence import Presence
    from studio.launch.supervisor import Supervisor
    from studio.runs.store import RunStore

LOCAL_USER = "local"


@dataclass(frozen=True)
class Shell:
    """The page around a tab: where its links to other tabs go.

    A link is a `gr.State` holding `link(value)`; the tab at its end listens to its `change`.
    To send someone there, a handler returns `(link(value), go_to("chat"))` to
    `[shell.chat_with, shell.tabs]`.

    Attributes:
        page: The page (`page.load` fires when it is opened or reloaded).
        tabs: All tabs; ids are `data`, `annotate`, `train`, `runs` and `chat`.
        tab: The tab being built (`tab.select` fires when it is opened).
        show_run: Run id to show in Runs.
        chat_with: Run id whose adapter to chat with.
        clone_run: Run id whose settings go into the Train form.
        train_on: Data source (`exports/<name>`) to put into the Train form.
    """

    page: gr.Blocks
    tabs: gr.Tabs
    tab: gr.Tab
    show_run: gr.State
    chat_with: gr.State
    clone_run: gr.State
    train_on: gr.State


def link(value: str) -> tuple[str, int]:
    """A link's content; the stamp makes following the same link twice a change."""
    return value, time.time_ns()


def go_to(tab: str) -> Any:
    """The update for `Shell.tabs` that opens `tab`."""
    return gr.Tabs(selected=tab)


@dataclass(frozen=True)
class StudioContext:
    """Services of one studio process; the same object for every user and tab.

    Attributes:
        accounts: Who may log in; None when the studio is used without logins.
        journal: Where labels are kept when this machine's disk does not last.
        presence: Which other studios have the workspace open.
        shell: The page being built; None outside `build(context)`.
    """

    workspace: Workspace
    store: AnnotationStore
    images: ImageStore
    runs: RunStore
    supervisor: Supervisor
    planner: Planner
    inference: InferenceClient
    accounts: Accounts | None = None
    journal: Journal | None = None
    presence: Presence | None = None
    shell: Shell | None = None

    def user(self, request: Any) -> str:
        """Name of whoever sent `request` (FastAPI's or Gradio's); `local` without logins.

        Raises:
            HTTPException: 401 when logins are on and nobody is logged in.
        """
        if self.accounts is None:
            return LOCAL_USER
        account = self.accounts.of_request(request)
        if account is None:
            raise HTTPException(401, "Log in first.")
        return account.name

    def is_lead(self, request: Any) -> bool:
        """Whether whoever sent `request` may do more than annotate."""
        if self.accounts is None:
            return True
        account = self.accounts.of_request(request)
        return account is not None and account.role == "lead"
