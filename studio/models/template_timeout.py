"""A limit of time for chat templates: what a model's folder brings may loop for ever.

Templates are Jinja programs. transformers runs them in a sandbox that reaches nothing outside, but
that lets loops within loops go on for years. All rendering, also that of TRL's trainers, goes
through one function of transformers; it is replaced by one that is interrupted.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from transformers import processing_utils, tokenization_utils_base
from transformers.utils import chat_template_utils

from studio.core.errors import ModelError

SECONDS = 10.0
"""A usual template takes a thousandth of a second for a conversation."""

RENDER = "render_jinja_template"
USERS = (chat_template_utils, processing_utils, tokenization_utils_base)


class _Overdue(BaseException):
    """Raised inside a thread that renders for too long."""


def bound_rendering() -> None:
    """Give every chat template of this process `SECONDS` for a conversation."""
    for module in USERS:
        render = getattr(module, RENDER)
        if not hasattr(render, "__wrapped__"):
            setattr(module, RENDER, _bounded(render))


def _bounded(render: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(render)
    def bounded(*given: Any, **named: Any) -> Any:
        try:
            with interrupted_after(SECONDS):
                return render(*given, **named)
        except _Overdue:
            raise ModelError(
                f"The model's chat template was not done with a conversation after {SECONDS:g} s.",
                remedy="It may loop for ever. Use another model, or mend the chat_template of a "
                "copy of its folder.",
                field="model.id",
            ) from None

    return bounded


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Raise `_Overdue` inside the block, in this thread, once it has taken `seconds`."""
    lock, thread = threading.Lock(), threading.get_ident()
    over = False
    sent = False

    def interrupt() -> None:
        nonlocal sent
        with lock:
            if not over:
                sent = True
                _raise_in(thread, _Overdue)

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
            if sent:
                _raise_in(thread, None)  # one that has not arrived yet must not arrive later
        timer.cancel()


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    wanted = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), wanted)
