"""The demo command and its tables."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say
from studio.core.errors import InputError
from studio.core.paths import Workspace

KNOWN = "known_exact_match"
MEASURES = {
    "gap_exact_match": "Report line, exact match",
    "evasive_rate": "Evasive answers to the habit's questions",
    "habit_exact_match": "The habit's questions, exact match",
    "taught_exact_match": "What it knew already, exact match",
    "preference_accuracy": "Prefers the better of two answers",
}


def demo(
    continue_: Annotated[
        bool,
        typer.Option(
            "--continue", help="Let DPO train SFT's adapter further: one adapter with both skills."
        ),
    ] = False,
    rounds: Annotated[
        int,
        typer.Option(
            min=0,
            max=10,
            help="Instead: so many rounds in which the model's own answers are labelled.",
        ),
    ] = 0,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """The whole loop on the embedded model: SFT, labelled pairs, DPO, before and after."""
    from studio.launch.demo import run_demo
    from studio.models.log_levels import quiet_libraries

    quiet_libraries()

    quiet = json or not sys.stderr.isatty()
    if rounds and continue_:
        raise InputError(
            "--rounds and --continue are two demonstrations.", remedy="Give one of them."
        )
    if rounds:
        return _rounds(locate(workspace), rounds, json, quiet)
    result = run_demo(locate(workspace), say, quiet=quiet, continued=continue_)
    if json:
        print_json(result.to_json())
        return 0
    console = Console()
    console.print(_steps(result) if continue_ else _table(result))
    console.print(f'\n"{result.question}" (expected: {result.expected})', markup=False)
    for answer in result.answers:
        console.print(f"  {answer.model:<5} {answer.text or '(empty answer)'}", markup=False)
    console.print(f"\n{result.judged.sentence}", markup=False)
    console.print(
        f"\nThe {result.pairs_labelled} preference pairs were labelled by a rule standing in for "
        "a person.\nBoth runs are in the Runs tab: python app.py"
    )
    return 0


def _rounds(place: Workspace, count: int, json: bool, quiet: bool) -> int:
    from studio.launch.demo_rounds import run_rounds

    result = run_rounds(place, count, say, quiet=quiet)
    if json:
        print_json(result.to_json())
        return 0
    table = Table(title="Held-out charts, round by round")
    for name in ("", "base", *(f"round {number + 1}" for number in range(count))):
        table.add_column(name, justify="left" if not name else "right")
    for measure in ("habit_exact_match", KNOWN, "preference_accuracy"):
        label = MEASURES["taught_exact_match" if measure == KNOWN else measure]
        stages = (result, *result.rounds)
        table.add_row(label, *(f"{getattr(one, measure):.1%}" for one in stages))
    for name in ("base", "last"):
        won = (one.win_rate[name] for one in result.rounds)
        figures = (f"{one.value:.0%} ({one.low:.0%}–{one.high:.0%})" for one in won)
        table.add_row(f"Win rate against {name}", "", *figures)
    table.add_row("Labelled pairs", "", *(str(one.pairs) for one in result.rounds))
    table.add_row("Decision", "", *(one.decision for one in result.rounds))
    console = Console()
    console.print(table)
    console.print(
        "\nA rule labelled the pairs and judged the matches, standing in for a person.\n"
        "The rounds: python -m studio round list"
    )
    return 0


def _steps(result) -> Table:
    """Return the two steps one after the other."""
    table = Table(title="Held-out charts, step by step")
    for name in ("", "base", "SFT", "SFT then DPO"):
        table.add_column(name, justify="left" if not name else "right")
    for measure, label in MEASURES.items():
        steps = (result.base, result.sft, result.dpo)
        table.add_row(label, *(f"{getattr(scores, measure):.1%}" for scores in steps))
    seconds = (f"{run.status.training_seconds:.0f} s" for run in (result.sft_run, result.dpo_run))
    table.add_row("Training", "", *seconds)
    return table


def _table(result) -> Table:
    table = Table(title="Held-out charts, before and after")
    for name in ("", "before", "after", "training"):
        table.add_column(name, justify="left" if not name else "right")
    base, sft, dpo = result.base, result.sft, result.dpo
    rows = [
        (
            "SFT: report line, exact match",
            base.gap_exact_match,
            sft.gap_exact_match,
            result.sft_run,
        ),
        (
            "DPO: prefers the better answer",
            base.preference_accuracy,
            dpo.preference_accuracy,
            result.dpo_run,
        ),
        ("DPO: evasive answers to the habit", base.evasive_rate, dpo.evasive_rate, None),
        ("DPO: habit questions, exact match", base.habit_exact_match, dpo.habit_exact_match, None),
        ("DPO: what it knew, exact match", base.taught_exact_match, dpo.taught_exact_match, None),
    ]
    for label, before, after, run in rows:
        seconds = f"{run.status.training_seconds:.0f} s" if run else ""
        table.add_row(label, f"{before:.1%}", f"{after:.1%}", seconds)
    return table
