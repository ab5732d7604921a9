"""Options that many commands share, and how results are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.config import RunConfig
from studio.config import run_file as files
from studio.core.logs import configure
from studio.core.paths import Workspace, unusable

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
    """Return the run file with the `--set` assignments applied."""
    return files.parse(files.override(files.load_values(run_file), assignments or []))


def locate(folder: str | None) -> Workspace:
    """Return the workspace to work in, which the log of what goes wrong is kept in."""
    workspace = Workspace.locate(folder)
    configure(workspace.log, to_stderr=False)
    return workspace


def look_at(folder: str | None) -> Workspace:
    """Return the workspace to read in; where there is none, none is made.

    Raises:
        InputError: There can be no such folder.
    """
    workspace = Workspace.named(folder)
    try:
        there = workspace.root.exists() and any(workspace.root.iterdir())
    except OSError as error:
        raise unusable(workspace.root, error) from error
    if there:
        configure(workspace.log, to_stderr=False)
    return workspace


def pass_on(context: typer.Context, **given: Any) -> None:
    """Hand options of a group down to its command, whose own options come first.

    Raises:
        typer.BadParameter: The command has no such option.
    """
    group: Any = context.command  # which has subcommands, since it was called with one
    name = context.invoked_subcommand or ""
    command = group.get_command(context, name)
    if command is None:
        return  # told by the group itself
    known = {parameter.name for parameter in command.params}
    given = {option: value for option, value in given.items() if value}
    for option in given.keys() - known:
        raise typer.BadParameter(f"{name} has no option --{option}.")
    context.default_map = {name: given}


def print_json(value: Any) -> None:
    """The command's one object on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def say(text: str) -> None:
    """A message for the person, on standard error."""
    typer.echo(text, err=True)
