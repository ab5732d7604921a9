"""Ways from one tab to another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr


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
        clone_run: Run id whose settings go into the Train form; with `NEXT` to train on from it.
        train_on: Data source (`exports/<name>`) to put into the Train form; for rows of the library
            with the method they are made for, `("library:<dataset>", "dpo")`.
    """

    page: gr.Blocks
    tabs: gr.Tabs
    tab: gr.Tab
    show_run: gr.State
    chat_with: gr.State
    clone_run: gr.State
    train_on: gr.State


NEXT = "next"


def link(value: Any) -> tuple[Any, int]:
    """Return a link's content; the stamp makes following the same link twice a change."""
    return value, time.time_ns()


def go_to(tab: str) -> Any:
    """Return the update for `Shell.tabs` that opens `tab`."""
    return gr.Tabs(selected=tab)
