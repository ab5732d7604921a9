"""Options that many commands share, and how results are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.config import RunConfig
from studio.config import run_file as files
from studio.core.logs import configure
from studio.core.paths import Workspace

WorkspaceOption = Annotated[
    str | None,
    typer.Option("--workspace", metavar="DIR", help="Folder that holds everything."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
RunFile = Annotated[Path, typer.Argument(metavar="RUN.yaml", help="The run file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, for example batch.total=8."),
]


def read_config(run_file: Path, assignments: list[str] | None) -> RunConfig:
    """The run file with the `--set` assignments applied."""
    return files.parse(files.override(files.load_values(run_file), assignments or []))


def locate(folder: str | None) -> Workspace:
    """The workspace to work in, which the log of what goes wrong is kept in."""
    workspace = Workspace.locate(folder)
    configure(workspace.log, to_stderr=False)
    return workspace


def print_json(value: Any) -> None:
    """The command's one object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def say(text: str) -> None:
    """A message for the person, on standard error."""
    typer.echo(text, err=True)
