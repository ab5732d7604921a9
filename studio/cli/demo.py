"""The demo command and its table."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say


def demo(workspace: WorkspaceOption = None, json: JsonOption = False) -> int:
    """The whole loop on the embedded model: SFT, labelled pairs, DPO, before and after."""
    from studio.models.quiet import quiet_libraries
    from studio.services.demo import run_demo

    quiet_libraries()

    result = run_demo(locate(workspace), say, quiet=json or not sys.stderr.isatty())
    if json:
        print_json(result.to_json())
        return 0
    console = Console()
    console.print(_table(result))
    console.print(f'\n"{result.question}" (expected: {result.expected})', markup=False)
    for answer in result.answers:
        console.print(f"  {answer.model:<5} {answer.text}", markup=False)
    console.print(
        f"\nThe {result.pairs_labelled} preference pairs were labelled by a rule standing in for "
        "a person.\nBoth runs are in the Runs tab: python app.py"
    )
    return 0


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
