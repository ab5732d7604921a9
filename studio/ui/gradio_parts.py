"""An end to the fields of an upload that are no files: Gradio keeps these in memory, whatever their size.

Names of Gradio's that are not public are used here only; `tests/ui/test_uploads.py` fails when they
mean something else.
"""

from __future__ import annotations

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
