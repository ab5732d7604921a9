"""Benchmarks measured by lmms-eval or VLMEvalKit, from the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say
from studio.core.errors import InputError, StoppedError
from studio.core.paths import Workspace


def harness(
    benchmark: Annotated[
        str | None, typer.Argument(help="chartqa, textvqa, docvqa, pope, mmmu, …")
    ] = None,
    model: Annotated[
        str | None, typer.Argument(help="A hub id, a folder, or endpoint:URL#MODEL.")
    ] = None,
    adapter: Annotated[
        str,
        typer.Option(metavar="RUN[@STEP]|DIR", help="An adapter on it; asked through a server."),
    ] = "",
    with_: Annotated[str, typer.Option("--with", help="lmms-eval or vlmevalkit.")] = "lmms-eval",
    python: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="bin/python of the environment it is installed in; without, the command is shown.",
        ),
    ] = "",
    checkout: Annotated[
        str, typer.Option(metavar="DIR", help="Where VLMEvalKit was cloned to.")
    ] = "",
    endpoint: Annotated[
        str, typer.Option(metavar="URL", help="The server that has the model.")
    ] = "",
    served_as: Annotated[str, typer.Option(metavar="NAME", help="The model's name there.")] = "",
    key_from: Annotated[
        str, typer.Option(metavar="NAME", help="The environment variable that holds the key.")
    ] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first rows (lmms-eval).")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="The figures measured so far.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Measure a benchmark with another harness, or show the command that does."""
    from studio.launch.harness import AskedHarness, plan_harness, run_harness

    if list_:
        return _list(look_at(workspace), json)
    if not (benchmark and model):
        raise InputError(
            "Which benchmark, of which model?", remedy="Give both, for example chartqa MODEL."
        )
    asked = AskedHarness(
        benchmark, model, adapter, with_, endpoint, served_as, key_from, python, checkout, limit
    )
    if not python:
        plan = plan_harness(look_at(workspace), asked)
        files = {str(path): text for path, text in plan.files.items()}
        if json:
            print_json({"before": plan.before, "command": plan.typed, "files": files})
            return 0
        if plan.before:
            typer.echo(f"# first, and leave it running\n{plan.before}")
        for path, text in files.items():
            typer.echo(f"# {path}\n{text}")
        typer.echo(plan.typed)
        return 0
    try:
        found = run_harness(locate(workspace), asked)
    except KeyboardInterrupt:
        raise StoppedError(f"{with_} was stopped.", remedy="Start it again.") from None
    if json:
        print_json(asdict(found))
        return 0
    for name, value in found.figures.items():
        typer.echo(f"{name}: {value:g}")
    return 0


def _list(place: Workspace, json: bool) -> int:
    from studio.launch.harness import harness_figures

    found = harness_figures(place)
    if json:
        print_json({"figures": [asdict(one) for one in found]})
        return 0
    if not found:
        say("No harness has measured anything yet.")
    for one in found:
        figures = ", ".join(f"{name} {value:g}" for name, value in one.figures.items())
        typer.echo(f"{one.benchmark} · {one.model} · {one.harness}: {figures}")
    return 0
