"""What is installed and what will work on this machine."""

from __future__ import annotations

import typer

from studio.cli.options import JsonOption, WorkspaceOption, look_at, print_json


def doctor(workspace: WorkspaceOption = None, json: JsonOption = False) -> int:
    """Check python, libraries, devices, disk and database."""
    from studio.launch.doctor import examine

    report = examine(look_at(workspace))
    if json:
        print_json(report.to_json())
    else:
        for check in report.checks:
            mark = "ok  " if check.ok else "NO  "
            typer.echo(f"{mark} {check.name:<22} {check.found}")
            if check.remedy:
                typer.echo(f"     {check.remedy}")
    return 0 if report.ok else 1
