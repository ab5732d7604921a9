"""Copies of the annotation database, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json


def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; must not be there yet.")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Copy the annotation database, also while people are labelling."""
    from studio.annotation.database.backup import back_up

    made = back_up(look_at(workspace).database_url, file.resolve())
    if json:
        print_json({"path": str(made.path), "labels": made.labels, "bytes": made.bytes})
    else:
        typer.echo(f"{made.labels} labels, {made.bytes:,} bytes in {made.path}")
    return 0


def restore(
    file: Annotated[Path, typer.Argument(help="A copy made by backup.")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Put a copy in the database's place; the studio must not be running."""
    from studio.annotation.database.backup import restore as put_back

    kept = put_back(locate(workspace).database_url, file.resolve())
    if json:
        print_json({"restored": str(file), "kept": str(kept) if kept else None})
    else:
        typer.echo(f"Restored {file}." + (f" What was there is in {kept}." if kept else ""))
    return 0
