"""What is done with Gradio beside its components.

Fields of an upload that are no files get an end: Gradio keeps these in memory, whatever their size.
Which sessions there are can be asked. Files of the workspace go to a page as copies in Gradio's cache,
so that no folder has to be allowed.

Such names are used here only; `tests/ui/test_uploads.py` and `tests/ui/test_event_requests.py` fail
when they mean something else.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio import processing_utils, route_utils, utils
from starlette.formparsers import MultiPartException

MAX_FIELD = 64 << 10


class BoundedParser(route_utils.GradioMultiPartParser):
    """Gradio's parser of uploads, which refuses long fields."""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None and len(part.data) + end - start > MAX_FIELD:
            raise MultiPartException(f"A field is longer than {MAX_FIELD >> 10} KB.")
        super().on_part_data(data, start, end)


def cached(file: Path) -> str:
    """A copy of `file` that a page may show; the same one each time."""
    return processing_utils.save_file_to_cache(file, utils.get_upload_folder())


def bound_fields() -> None:
    """Have all uploads read by it."""
    route_utils.GradioMultiPartParser = BoundedParser


def is_session(page: gr.Blocks, session: str) -> bool:
    """Whether a page of this session waits for answers to its events."""
    return session in page._queue.pending_messages_per_session
