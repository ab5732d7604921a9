"""Options that many commands share, and how results are printed."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from studio.paths import Workspace

WorkspaceOption = Annotated[
    str | None,
    typer.Option("--workspace", metavar="DIR", help="Folder that holds everything."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def locate(folder: str | None) -> Workspace:
    """The workspace to work in."""
    return Workspace.locate(folder)


def print_json(value: Any) -> None:
    """The command's one object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def say(text: str) -> None:
    """A message for the person, on standard error."""
    typer.echo(text, err=True)
