"""Rounds from the command line: start one, see it, take its steps, begin the next."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say

if TYPE_CHECKING:
    from studio.core.paths import Workspace
    from studio.launch.round_state import RoundView
    from studio.launch.round_store import Round

app = typer.Typer(
    no_args_is_help=True,
    help="Answers of a model's own, labels, training, evaluation, match, decision; and again.",
)
Name = Annotated[
    str | None,
    typer.Argument(metavar="ROUND", help="Its id, or how that begins; the newest if left out."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting of the round (temperature=1.3) or of its training "
        "(optimizer.learning_rate=1e-3).",
    ),
]


@app.command()
def start(
    model: Annotated[str, typer.Argument(metavar="MODEL", help='Hub id, folder or "embedded".')],
    data: Annotated[
        str, typer.Option(metavar="SOURCE", help="Images with questions that are to be answered.")
    ],
    goal: Annotated[
        str,
        typer.Option(metavar="SOURCE", help="Held-out rows of what should get better."),
    ],
    keep: Annotated[
        str, typer.Option(metavar="SOURCE", help="Held-out rows of what should stay as it is.")
    ] = "",
    name: Annotated[str, typer.Option(help="What the rounds are called.")] = "",
    template: Annotated[
        str,
        typer.Option(help="fix-a-habit, adapt-to-my-charts or fewer-hallucinations."),
    ] = "",
    preset: Annotated[str, typer.Option(help="The preset that training starts from.")] = "",
    rows: Annotated[int | None, typer.Option(min=1, help="Rows that a round answers.")] = None,
    from_: Annotated[
        str,
        typer.Option(
            "--from", metavar="base|RUN", help="What it begins with; else the run accepted last."
        ),
    ] = "",
    set_: SetOption = None,
    who: Annotated[str, typer.Option(help="Whose round it is.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Begin a round; `round step` takes its steps."""
    from studio.config.round import assigned
    from studio.launch.rounds import start_round

    given: dict[str, Any] = {
        "model": model,
        "data": data,
        "goal": goal,
        "known": keep,
        "preset": preset,
    }
    if rows is not None:
        given["rows"] = rows
    values = given | assigned(set_ or [])
    place = locate(workspace)
    made = start_round(place, name, values, template=template, start=from_, who=who)
    _print(place, made, json)


@app.command()
def show(round_: Name = None, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """How a round stands: steps, cost, gain, and what got worse."""
    place = look_at(workspace)
    _print(place, _found(place, round_), json)


@app.command("list")
def list_(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """All rounds, newest first."""
    from studio.launch.round_store import RoundStore

    found = RoundStore(look_at(workspace)).list()
    if json:
        print_json({"rounds": [one.to_json() for one in found]})
        return
    if not found:
        say("No rounds yet: python -m studio round start MODEL --data SOURCE --goal SOURCE")
    for one in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
        typer.echo(f"{one.round_id:<22} {when}  {one.title}")


@app.command()
def step(
    round_: Name = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Go on until people are asked or a decision is due.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Take the next step of a round, or go on with one that was cut short."""
    from studio.launch.round_steps import RoundSteps
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()
    place = locate(workspace)
    one = _found(place, round_)
    steps = RoundSteps(place, say=say, quiet=json)
    view = steps.go_on(one) if all_ else steps.take(one)
    _print(place, one, json, view)


@app.command("next")
def next_(
    round_: Name = None,
    set_: SetOption = None,
    who: Annotated[str, typer.Option(help="Whose round it is.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Begin the round after a decided one, from the accepted model, with the same settings."""
    from studio.config.round import assigned
    from studio.launch.rounds import next_round

    place = locate(workspace)
    made = next_round(place, _found(place, round_), assigned(set_ or []), who=who)
    _print(place, made, json)


def _found(place: Workspace, name: str | None) -> Round:
    from studio.launch.round_store import RoundStore

    return RoundStore(place).get(name) if name else RoundStore(place).newest()


def _print(place: Workspace, one: Round, json: bool, view: RoundView | None = None) -> None:
    from studio.launch.round_state import STEPS, look_at_round
    from studio.launch.rounds import advice

    view = view or look_at_round(place, one)
    said = advice(view)
    if json:
        print_json({**view.to_json(), "advice": said, "cost": asdict(view.cost)})
        return
    typer.echo(f"{one.title} ({one.round_id}), from {one.start or 'the base'}")
    for part in view.steps:
        typer.echo(f"  {STEPS[part.name]:<30} {part.state:<17} {part.sentence}".rstrip())
    typer.echo(f"  Cost: {view.cost.sentence}")
    for gain in view.gains:
        typer.echo(f"  {gain.sentence}")
    for guard in view.guards:
        typer.echo(f"  {'!' if guard.holds is False else ' '} {guard.sentence}")
    if said:
        typer.echo(said)
    _say_next(view)


def _say_next(view: RoundView) -> None:
    step, one = view.next, view.round
    if step is None:
        say(f"Next: python -m studio round next {one.round_id}")
    elif step.name == "decision":
        say(
            f"Decide: python -m studio runs decide {view.run_id} --accept --reason WHY "
            "(or --roll-back)"
        )
    elif step.state == "waits for people":
        say(f"Label the pairs of dataset {step_dataset(view)!r} in Annotate.")
    else:
        say(f"Next: python -m studio round step {one.round_id}")


def step_dataset(view: RoundView) -> str:
    """Return the dataset whose pairs people are asked about."""
    if view.next is not None and view.next.name == "match" and view.match is not None:
        return view.match.dataset
    return view.round.dataset
