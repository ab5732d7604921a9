"""Whether more labels are worth it: how often a model prefers what people then prefer.

Each time a queue is ordered, what the model prefers of the pairs that wait by lot is written down.
People judge those pairs later, so no model has been trained on them, and they were not chosen.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.annotation import AnnotationStore
from studio.annotation.records import is_judge
from studio.core.plurals import counted
from studio.evaluation.intervals import wilson

LEAST_PAIRS = 20
"""Fewer judged pairs of the random share say nothing of a model."""
NOT_YET = (
    f"Whether more labels are worth it shows once a queue was ordered and {LEAST_PAIRS} pairs of its "
    "random share were judged after that."
)


@dataclass(frozen=True)
class CurvePoint:
    """One model on the pairs by lot that people judged after it was asked.

    Attributes:
        labels: Answers that the dataset had then.
        value, low, high: Share of pairs where it prefers what people do, with a 95 % interval.
        pairs: How many pairs it rests on.
    """

    labels: int
    model: str
    value: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class LearningCurve:
    """Points in the order of labels, and what they come to in words."""

    points: tuple[CurvePoint, ...]
    sentence: str


def write_point(path: Path, labels: int, model: str, preferred: Mapping[int, int]) -> None:
    """Add what a model prefers: pair to 0 for its first answer, 1 for its second."""
    if not preferred:
        return
    line = json.dumps({"labels": labels, "model": model, "preferred": preferred})
    with path.open("a", encoding="utf-8") as handle:
        handle.write(line + "\n")


def curve_file(order_file: Path) -> Path:
    """Return the file with what models preferred, beside that of the order."""
    return order_file.with_suffix(".preferred.jsonl")


def learning_curve(store: AnnotationStore, dataset: str, path: Path) -> LearningCurve:
    """Compare what models preferred with what people say by now. Raises NotFoundError."""
    people = _preferred_by_people(store, dataset)
    points = []
    for labels, model, preferred in _read(path):
        both = [(place, people[pair]) for pair, place in preferred.items() if pair in people]
        if len(both) < LEAST_PAIRS:
            continue
        right = sum(one == other for one, other in both)
        low, high = wilson(right, len(both))
        points.append(CurvePoint(labels, model, right / len(both), low, high, len(both)))
    return LearningCurve(tuple(points), curve_sentence(points))


def curve_sentence(points: Sequence[CurvePoint]) -> str:
    """Say what the last labels moved, and whether that is more than chance."""
    if not points:
        return NOT_YET
    last = points[-1]
    now = (
        f"With {counted(last.labels, 'label')} the model prefers what people do in "
        f"{_percent(last.value)} of pairs by lot ({_percent(last.low)} to {_percent(last.high)}, "
        f"{counted(last.pairs, 'pair')})."
    )
    before = next((one for one in reversed(points[:-1]) if one.labels < last.labels), None)
    if before is None:
        return f"{now} Order the queue again after more labels to see what they move."
    moved = 100 * (last.value - before.value)
    error = 196 * math.sqrt(sum(p.value * (1 - p.value) / p.pairs for p in (before, last)))
    said = (
        f"The last {counted(last.labels - before.labels, 'label')} moved it by {moved:+.1f} points "
        f"({moved - error:+.1f} to {moved + error:+.1f})"
    )
    if abs(moved) <= error:
        return f"{said}: too little to tell from chance. {now}"
    worth = "they were worth it" if moved > 0 else "it got worse"
    return f"{said}: {worth}. {now}"


def _read(path: Path) -> list[tuple[int, str, dict[int, int]]]:
    """Read what was written; a line that a kill has torn is left out."""
    found = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        try:
            values = json.loads(line)
            preferred = {int(pair): int(place) for pair, place in values["preferred"].items()}
            found.append((int(values["labels"]), str(values["model"]), preferred))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return sorted(found, key=lambda one: one[0])


def _preferred_by_people(store: AnnotationStore, dataset: str) -> dict[int, int]:
    """What most people prefer of each pair: 0 for its first answer, 1 for its second."""
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for record in store.answers(dataset):
        if record["preferred"] is not None and not is_judge(record["annotator"]):
            votes[record["pair"]][record["preferred"]] += 1
    return {
        pair: said.most_common(1)[0][0]
        for pair, said in votes.items()
        if len(said) == 1 or len(set(said.values())) > 1
    }


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
