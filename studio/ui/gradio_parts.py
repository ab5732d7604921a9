"""What the studio needs of Gradio and Gradio has no public name for: an end to the fields of an
upload that are no files, which it keeps in memory whatever their size; and which sessions there are.

Such names are used here only; `tests/ui/test_uploads.py` and `tests/ui/test_event_requests.py` fail
when they mean something else.
"""

from __future__ import annotations

import gradio as gr
from gradio import route_utils
from starlette.formparsers import MultiPartException

MAX_FIELD = 64 << 10


class BoundedParser(route_utils.GradioMultiPartParser):
    """Gradio's parser of uploads, which refuses long fields."""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None and len(part.data) + end - start > MAX_FIELD:
            raise MultiPartException(f"A field is longer than {MAX_FIELD >> 10} KB.")
        super().on_part_data(data, start, end)


def bound_fields() -> None:
    """Have all uploads read by it."""
    route_utils.GradioMultiPartParser = BoundedParser


def is_session(page: gr.Blocks, session: str) -> bool:
    """Whether a page of this session waits for answers to its events."""
    return session in page._queue.pending_messages_per_session
