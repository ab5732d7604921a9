"""Wishes to a running worker, left in a file that it looks at between steps."""

from __future__ import annotations

from typing import Literal, get_args

from studio.core.paths import RunPaths, read_state, write_json

Command = Literal["none", "save", "stop", "stop_now"]


def request(paths: RunPaths, command: Command) -> None:
    """Ask the worker to save, to stop after saving, or to stop at once."""
    write_json(paths.control, {"command": command})


def requested(paths: RunPaths) -> Command:
    """Return the last wish; `none` where the file is damaged or holds another word."""
    command = read_state(paths.control).get("command")
    known: dict[str, Command] = {one: one for one in get_args(Command)}
    return known.get(command, "none") if isinstance(command, str) else "none"
