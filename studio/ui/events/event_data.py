"""What an event of the page says beside the fields: sent by a script, so it may be anything."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.ui.compat.gradio_parts import data_of

LARGEST = 2**53  # what a script counts to exactly, and a database takes


def details(event: gr.EventData) -> dict[str, Any]:
    """Return what the event carries, by name; nothing when it carries something else."""
    found = data_of(event)
    return found if isinstance(found, dict) else {}


def text(event: gr.EventData, name: str) -> str:
    """Return a text that the event carries; empty without one."""
    value = details(event).get(name)
    return value if isinstance(value, str) else "" if value is None else str(value)


def whole_number(value: Any) -> int | None:
    """Return a whole number from 0 on as a script wrote it; None for everything else."""
    said = str(value)
    fits = said.isascii() and said.isdecimal() and len(said) <= len(str(LARGEST))
    return int(said) if fits and int(said) <= LARGEST else None


def number(event: gr.EventData, name: str) -> int | None:
    """Return a whole number from 0 on that the event carries; None without one."""
    return whole_number(details(event).get(name))
