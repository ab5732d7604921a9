"""Rounds on the embedded model: its own answers, a rule in place of the person, DPO, and again.

The model evades one kind of question although it sees the answer. Drawn hot, it says the answer now
and then; the rule prefers what is right, as a person would. Each round answers charts that no round
before it had, and begins with the model that the last one has left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

from studio.annotation import AnnotationStore
from studio.annotation.labeling.rule_annotator import RULE, judge_until
from studio.core.errors import RunFailedError
from studio.core.paths import EMBEDDED, Workspace
from studio.data.schema import ACCEPTED, Row
from studio.data.sources import open_source
from studio.data.sources.registry import LIBRARY
from studio.evaluation.evaluated_models import BASE
from studio.evaluation.match import Match
from studio.launch.decision_card import decide_about
from studio.launch.matches import match_standing
from studio.launch.round_state import RoundView, look_at_round
from studio.launch.round_steps import RoundSteps
from studio.launch.round_store import Round
from studio.launch.rounds import advice, next_round, speaks_for_it, start_round
from studio.runs.decisions import Verdict

CHARTS, GOAL, KNOWN = "demo charts", "demo habit, held out", "demo skills, held out"
GAP, HABIT = "report", "lowest"
ROWS = 60
"""Rows a round; about half of them ask what the model evades."""
RATE = "optimizer.learning_rate=7.0e-4"
"""A new adapter begins at zero, and few labels make few steps: twice the rate of the preset."""
EXACT, PREFERS = "exact_match", "preference_accuracy"
Say = Callable[[str], None]
Right = Mapping[tuple[tuple[str, ...], str], Collection[str]]


@dataclass(frozen=True)
class WinFigures:
    """A win rate with the ends of its 95 % confidence sequence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class RoundFigures:
    """What one round of the demo came to.

    Attributes:
        pairs: With a label that says which answer is better, of this round.
        win_rate: Against the base, and against the model that the round began with.
    """

    round_id: str
    run_id: str
    pairs: int
    preference_accuracy: float
    habit_exact_match: float
    known_exact_match: float
    win_rate: dict[str, WinFigures]
    decision: str
    advice: str
    seconds: float
    cost: dict[str, Any]


@dataclass(frozen=True)
class DemoRounds:
    """The rounds of a demo, and what the model was before them."""

    habit_exact_match: float
    known_exact_match: float
    preference_accuracy: float
    rounds: list[RoundFigures]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the contract of `demo --rounds --json`."""
        return {
            "base": {
                "habit_exact_match": self.habit_exact_match,
                "known_exact_match": self.known_exact_match,
                "preference_accuracy": self.preference_accuracy,
            },
            "rounds": [asdict(one) for one in self.rounds],
            "labelled_by": "rule (stands in for a person)",
            "seconds": self.seconds,
            "ok": True,
        }


def run_rounds(workspace: Workspace, count: int, say: Say, quiet: bool = False) -> DemoRounds:
    """Go through `count` rounds; each is decided by what was measured.

    Raises:
        RunFailedError: A run did not finish, or a figure is missing.
    """
    began = time.monotonic()
    with closing(AnnotationStore(workspace.database_url)) as store:
        right = _fill_library(workspace, store)
        steps = RoundSteps(workspace, store=store, say=say, quiet=quiet)
        one = start_round(
            workspace,
            "demo",
            {
                "model": EMBEDDED,
                "data": f"{LIBRARY}{CHARTS}",
                "goal": f"{LIBRARY}{GOAL}",
                "known": f"{LIBRARY}{KNOWN}",
                "preset": "embedded-dpo",
                "rows": ROWS,
                "training": ["schedule.epochs=4", "batch.total=8", RATE],
            },
            template="fix-a-habit",
            start=BASE,
            who=RULE,
        )
        found: list[RoundFigures] = []
        view = look_at_round(workspace, one, store)
        while True:
            since = time.monotonic()
            view = _to_its_end(workspace, store, steps, one, right)
            found.append(_figures(view, time.monotonic() - since))
            if len(found) == count:
                break
            one = next_round(workspace, one, who=RULE, store=store)
    return DemoRounds(
        _figure(view, BASE, EXACT),
        _figure(view, BASE, EXACT, known=True),
        _figure(view, BASE, PREFERS),
        found,
        time.monotonic() - began,
    )


def _to_its_end(
    workspace: Workspace, store: AnnotationStore, steps: RoundSteps, one: Round, right: Right
) -> RoundView:
    """Take every step of a round; where people are asked, the rule answers."""
    while True:
        view = steps.go_on(one)
        step = view.next
        if step is None:
            return view
        if step.name == "labels":
            steps.say(f"{one.title}: a rule labels, in place of a person …")
            judge_until(store, one.dataset, right, lambda: False)
        elif step.name == "match" and view.match is not None:
            _judge(workspace, store, view.match, right)
        elif step.name == "decision":
            verdict: Verdict = "accepted" if speaks_for_it(view) else "rolled back"
            decide_about(workspace, view.run_id, verdict, advice(view), who=RULE, store=store)
        else:
            raise RunFailedError(
                f"The demo's {one.title} came no further: {step.name} is {step.state}.",
                remedy=step.sentence or f"Its log is {workspace.log}.",
            )


def _judge(workspace: Workspace, store: AnnotationStore, match: Match, right: Right) -> None:
    """Let the rule judge pairs of a match until it is told who is better."""

    def told() -> bool:
        return match_standing(workspace, match.match_id, store=store).stop

    judge_until(store, match.dataset, right, told)


def _fill_library(workspace: Workspace, store: AnnotationStore) -> Right:
    """Bring charts and held-out rows into the library, and say which answers are right."""
    charts = _rows("embedded:preferences", "train", workspace)
    heldout = _rows("embedded:heldout", "train", workspace)
    pairs = [
        replace(
            row,
            external_id=f"pair {row.external_id}",
            meta={**row.meta, ACCEPTED: [row.preference[0].text]},
        )
        for row in _rows("embedded:preferences", "evaluation", workspace)
        if _kind(row) == HABIT
    ]
    goal = [*(row for row in heldout if _kind(row) == HABIT), *pairs]
    store.add_rows(CHARTS, (replace(row, chosen=None, rejected=None) for row in charts))
    store.add_rows(GOAL, goal)
    store.add_rows(KNOWN, (row for row in heldout if _kind(row) not in (GAP, HABIT)))
    right: dict[tuple[tuple[str, ...], str], Collection[str]] = {
        (row.images, row.question): (row.preference[0].text,) for row in charts
    }
    return right | {(row.images, row.question): row.accepted for row in goal}


def _rows(source: str, split: str, workspace: Workspace) -> Iterable[Row]:
    opened = open_source(source, split=split, columns=None, workspace=workspace)
    return [row for row in opened.rows() if isinstance(row, Row)]


def _kind(row: Row) -> Any:
    return row.meta.get("kind")


def _figures(view: RoundView, seconds: float) -> RoundFigures:
    decision, export = view.decision, view.export
    if decision is None or export is None:
        raise RunFailedError(f"{view.round.title} was not decided.", remedy="Start the demo again.")
    earlier = int(export.manifest.get("earlier", 0))
    return RoundFigures(
        view.round.round_id,
        view.run_id,
        sum(export.rows.values()) - earlier,
        _figure(view, view.run_id, PREFERS),
        _figure(view, view.run_id, EXACT),
        _figure(view, view.run_id, EXACT, known=True),
        {"base": _won(view, BASE), "last": _won(view, view.round.start or BASE)},
        decision.verdict,
        decision.reason,
        seconds,
        asdict(view.cost),
    )


def _figure(view: RoundView, model: str, metric: str, known: bool = False) -> float:
    made = view.known if known else view.goal
    if made is None or (value := made.results[model].metrics[metric].value) is None:
        raise RunFailedError(
            f"{view.round.title} has no {metric} of {model}.", remedy="Start the demo again."
        )
    return value


def _won(view: RoundView, against: str) -> WinFigures:
    """The win rate of the round's run; alike answers are ties."""
    pairs = view.standing.pairs if view.standing else ()
    for pair in pairs:
        if {pair.rate.first, pair.rate.second} != {against, view.run_id}:
            continue
        value = 0.5 if pair.value is None else pair.value
        if pair.rate.second == view.run_id:
            return WinFigures(value, pair.low, pair.high)
        return WinFigures(1 - value, 1 - pair.high, 1 - pair.low)
    raise RunFailedError(f"{view.round.title} has no match.", remedy="Start the demo again.")
