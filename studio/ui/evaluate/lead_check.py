"""Who may evaluate: leads, asked again by every handler that reads or changes something."""

from __future__ import annotations

import gradio as gr

from studio.api.context import StudioContext
from studio.core.errors import InputError


def refuse_others(context: StudioContext, request: gr.Request | None) -> None:
    """Raise InputError for whoever is logged in and no lead; None is a call without a page."""
    if request is not None and not context.is_lead(request):
        raise InputError("Only a lead can evaluate.", remedy="Ask a lead.")
