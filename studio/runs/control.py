"""Wishes to a running worker, left in a file that it looks at between steps."""

from __future__ import annotations

from typing import Literal

from studio.paths import RunPaths, read_json, write_json

Command = Literal["none", "save", "stop", "stop_now"]


def request(paths: RunPaths, command: Command) -> None:
    """Ask the worker to save, to stop after saving, or to stop at once."""
    write_json(paths.control, {"command": command})


def requested(paths: RunPaths) -> Command:
    """The last wish."""
    return (read_json(paths.control) or {}).get("command", "none")
