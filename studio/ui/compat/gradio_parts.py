"""What is done with Gradio beside its components.

Fields of an upload that are no files get an end: Gradio keeps these in memory, whatever their size.
Which sessions there are, and what a session sees of a component, can be asked. A session keeps one
of each component, and not one more after every event. Files of the workspace go to a page as copies
in Gradio's cache, so that no folder has to be allowed.

Such names are used here only; `tests/api/test_uploads.py`, `tests/ui/events/test_event_guard.py` and
`test_gradio_parts.py` fail when they mean something else.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils, queueing, route_utils, routes, state_holder, utils
from gradio.blocks import Block
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException

from studio.api.uploads import FILE_BEGINS
from studio.core.errors import StudioError
from studio.core.logs import events, log_told
from studio.core.paths import can_be_path

MAX_FIELD = 64 << 10


class BoundedParser(route_utils.GradioMultiPartParser):
    """Gradio's parser of uploads, which refuses long fields and counts files."""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None and len(part.data) + end - start > MAX_FIELD:
            raise MultiPartException(f"A field is longer than {MAX_FIELD >> 10} KB.")
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        begins = FILE_BEGINS.get()
        if begins is not None and self._current_part.file is not None:
            begins()

    async def parse(self) -> FormData:
        try:
            return await super().parse()
        except FormParserError as error:  # also of what is wrong before the first part
            raise MultiPartException(f"The upload cannot be read: {error}.") from error


class SlimSession(state_holder.SessionState):
    """What Gradio keeps of one page, without the components of every event before.

    An update makes a component anew, with a number of its own, and the session keeps it in place of
    the one before. The next value of it is then kept under the new number as well, with all that
    describes it, for as long as the page is known. With the number it stands for there is only one.
    """

    def __setitem__(self, key: int, value: Any) -> None:
        if isinstance(value, Block):
            value._id = key
        super().__setitem__(key, value)


def slim_sessions() -> None:
    """Have the sessions of all pages kept by it."""
    state_holder.SessionState = SlimSession


def cached(file: Path) -> str:
    """Return a copy of `file` that a page may show; the same one each time."""
    return processing_utils.save_file_to_cache(file, utils.get_upload_folder())


def bound_fields() -> None:
    """Have all uploads read by it."""
    route_utils.GradioMultiPartParser = BoundedParser


def is_session(page: gr.Blocks, session: str) -> bool:
    """Return whether a page of this session waits for answers to its events."""
    return session in page._queue.pending_messages_per_session


def is_event_of_another(page: gr.Blocks, event: str, session: Any) -> bool:
    """Return whether an event that is under way was asked for by another session than this one."""
    known = page._queue.event_ids_to_events.get(event)
    return known is not None and known.session_hash != session


def shown(page: gr.Blocks, session: str | None, component: Any) -> Any:
    """Return a component as a session sees it: handlers may have given it other choices."""
    state = page.state_holder.session_data.get(session) if session else None
    return state.blocks_config.blocks.get(component._id, component) if state else component


def has_only_own_files(value: Any, *, there: bool = True) -> bool:
    """Return whether all files that a value of a page names are ones that Gradio keeps for pages.

    Args:
        there: Whether they also have to be there.

    Raises:
        ValueError: A name is one that no file can have.
    """
    if isinstance(value, list):
        return all(has_only_own_files(item, there=there) for item in value)
    if not isinstance(value, dict):
        return True
    path = value.get("path")
    if isinstance(path, str) and path:
        if utils.is_static_file(path):
            return True
        return utils.is_in_or_equal(path, utils.get_upload_folder()) and (
            not there or (can_be_path(path) and Path(path).is_file())
        )
    return all(has_only_own_files(item, there=there) for item in value.values())


def data_of(event: gr.EventData) -> Any:
    """Return what a script sent with an event of the page; it may be anything."""
    return event._data


class _LoggedTracebacks:
    """Stands for the module `traceback` where Gradio prints the errors of events."""

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)

    @staticmethod
    def print_exc() -> None:
        """Log the error being handled instead; the log has an end, and shortens what it repeats.

        A refusal is no fault: somebody's rights may end while an event of theirs waits its turn.
        """
        error = sys.exception()
        if isinstance(error, StudioError):
            log_told(error)
        else:
            events.error("An event failed", exc_info=True)


def log_failed_events() -> None:
    """Have Gradio log the errors of events, which it would print as long as they are."""
    for module in (queueing, routes, utils):
        module.traceback = _LoggedTracebacks()
