"""Accepting runs and rolling them back, and how a model came to be."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say
from studio.core.errors import InputError
from studio.core.local_time import minute
from studio.runs.run_names import find_run
from studio.runs.store import RunStore

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Its id, how that begins, or a name.")]


def decide(
    run: RunName,
    accept: Annotated[
        bool, typer.Option("--accept", help="The next round starts from its weights.")
    ] = False,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Go on from what was accepted before it.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    who: Annotated[str, typer.Option(help="Whose decision it is.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Accept an ended run, or roll it back, with a reason that is kept."""
    from studio.launch.decision_card import decide_about

    if accept == roll_back:
        raise InputError("Accept it or roll it back?", remedy="Give --accept or --roll-back.")
    place = locate(workspace)
    found = find_run(RunStore(place), run)
    made = decide_about(place, found.run_id, "accepted" if accept else "rolled back", reason, who)
    if json:
        print_json(asdict(made))
        return
    say(f"{made.run} is {made.verdict}.")
    for figure in made.figures:
        typer.echo(figure)


def decisions(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """All decisions, oldest first."""
    from studio.runs.decisions import decisions as all_of

    found = all_of(look_at(workspace))
    if json:
        print_json({"decisions": [asdict(one) for one in found]})
        return
    if not found:
        say("Nothing was decided yet: `python -m studio runs decide RUN --accept --reason …`.")
    for one in found:
        when = minute(one.at)
        by = f" by {one.who}" if one.who else ""
        typer.echo(f"{when}  {one.run}  {one.verdict}{by}: {one.reason}")


def lineage(run: RunName, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """How a model came to be: data, export, run, evaluation, decision, next."""
    from studio.launch.lineage import lineage as steps_of

    place = look_at(workspace)
    steps = steps_of(place, find_run(RunStore(place), run).run_id)
    if json:
        print_json({"steps": [asdict(step) for step in steps]})
        return
    for step in steps:
        gone = " (deleted)" if step.gone else ""
        detail = f": {step.detail}" if step.detail else ""
        typer.echo(f"{step.kind:<10} {step.name}{gone}{detail}")
