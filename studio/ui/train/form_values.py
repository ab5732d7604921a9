"""All values of a form in one component, for the events that read them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import gradio as gr

from studio.ui.events.field_values import gathers
from studio.ui.shared.page_scripts import hook


class FormValues:
    """The values of many components, in their order, gathered in the browser.

    Whenever any event begins, goes on or ends, a page goes through every component that an event
    of the server has read, each found by a walk through all components. A form that is read at
    every change would keep it busy for seconds; this one is read by the browser alone.
    """

    def __init__(self, items: Sequence[Any], values: Sequence[Any]) -> None:
        self.items = list(items)
        self.all = gathers(gr.JSON(list(values), visible=False), self.items)

    def wire(self) -> None:
        """Follow every change."""
        changes = [item.change for item in self.items]
        gr.on(changes, None, self.items, self.all, js=hook("gather-values"), show_progress="hidden")


def of_form(handler: Callable[..., Any]) -> Callable[..., Any]:
    """`handler` whose last arguments, the values of a form, come as one list."""

    @wraps(handler)
    def given(*before: Any) -> Any:
        return handler(*before[:-1], *before[-1])

    @wraps(handler)
    def yielding(*before: Any) -> Iterator[Any]:
        yield from handler(*before[:-1], *before[-1])

    return yielding if inspect.isgeneratorfunction(handler) else given
