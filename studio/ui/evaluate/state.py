"""What the Evaluate tab offers and knows, read from disk and remembered between looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.api.context import StudioContext
from studio.core.errors import InputError, StudioError
from studio.core.paths import EMBEDDED, can_be_path
from studio.core.plurals import counted
from studio.data.manifest import list_exports
from studio.data.sources.registry import LIBRARY
from studio.evaluation.benchmarks import BENCHMARKS, find_benchmark, is_benchmark
from studio.evaluation.evaluated_models import BASE, ENDPOINT, endpoint_model
from studio.evaluation.evaluated_rows import RUN
from studio.evaluation.evaluation import Evaluation, RowRecord
from studio.evaluation.evaluation_records import records_of
from studio.evaluation.evaluation_request import MARGIN, Wanted, metrics_of
from studio.evaluation.evaluation_store import EvaluationStore
from studio.launch.evaluation_job import find_rows
from studio.launch.made_datasets import made_datasets
from studio.metrics import METRICS, Metric, suggested_metrics
from studio.runs import checkpoints, queue
from studio.runs.run_names import without_times
from studio.runs.run_summary import stamp
from studio.runs.store import Run

HELD_OUT = f"{EMBEDDED}:heldout"
NOBODY = "nobody"
MOST_RUNS, MOST_STEPS = 100, 6
REMEMBERED = 4
PAGE = 20
MOST_TOKENS, MOST_ROWS, MOST_AT_ONCE, MOST_PEOPLE = 4096, 1_000_000, 1024, 20
FIRST_ROWS = 50
Choices = list[tuple[str, str]]


@dataclass
class EvaluationReader:
    """Evaluations, and the rows of those looked at lately; read again when they have changed."""

    context: StudioContext
    _records: dict[str, tuple[Any, list[RowRecord]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def store(self) -> EvaluationStore:
        return EvaluationStore(self.context.workspace)

    def list(self) -> list[Evaluation]:
        """All evaluations, newest first."""
        return self.store.list(drawn=False)

    def get(self, evaluation_id: str | None) -> Evaluation | None:
        """One evaluation; None when it is gone or damaged."""
        try:
            return self.store.get(evaluation_id) if evaluation_id else None
        except StudioError:
            return None

    def records(self, evaluation: Evaluation) -> Sequence[RowRecord]:
        """Every row of a finished evaluation. Raises InputError where they cannot be read."""
        name = evaluation.evaluation_id
        now = stamp(self.store.paths(evaluation).record)
        with self._lock:
            known = self._records.pop(name, None)
            if known is None or known[0] != now:
                known = (now, records_of(evaluation, self.context.workspace))
            self._records[name] = known
            while len(self._records) > REMEMBERED:
                del self._records[next(iter(self._records))]
            return known[1]


def model_choices(runs: Sequence[Run]) -> Choices:
    """Base models: the embedded one and those of the runs."""
    found = {EMBEDDED: "Embedded model"}
    for run in runs[:MOST_RUNS]:
        model = run.base_model
        if model:
            found.setdefault(model, model)
    return [(label, value) for value, label in found.items()]


def contestant_choices(runs: Sequence[Run]) -> Choices:
    """Runs with weights, and their complete checkpoints."""
    found = []
    for run in runs[:MOST_RUNS]:
        name = run.name
        if run.has_adapter:
            found.append((f"{name} · {run.run_id}", run.run_id))
        own = checkpoints.adapter_step(run.paths)
        steps = [checkpoints.step_of(one) for one in checkpoints.complete_checkpoints(run.paths)]
        found += [
            (f"{name} at step {step:,} · {run.run_id}", f"{run.run_id}@{step}")
            for step in sorted(steps, reverse=True)[:MOST_STEPS]
            if step != own
        ]
    return found


def against_choices(runs: Sequence[Run]) -> Choices:
    """What others can be compared with."""
    with_weights = [run for run in runs[:MOST_RUNS] if run.has_adapter]
    return [
        ("The base model", BASE),
        *((f"{run.name} · {run.run_id}", run.run_id) for run in with_weights),
        ("Nothing", NOBODY),
    ]


def row_choices(context: StudioContext, runs: Sequence[Run]) -> Choices:
    """Rows that can be answered: held out by runs, of the library, exports, embedded, benchmarks."""
    held = [
        (f"Held out by {run.name} · {run.run_id}", f"{RUN}{run.run_id}")
        for run in runs[:MOST_RUNS]
        if (config := run.known_config) and config.data.evaluation
    ]
    made = made_datasets(context.workspace)
    library = [
        (f"{one.name} · {counted(one.items, 'row')} of the library", f"library:{one.name}")
        for one in context.store.datasets()
        if one.items and one.name not in made
    ]
    exports = [(f"{one.name} · export", one.spec) for one in list_exports(context.workspace)]
    public = [(f"{one.label} · benchmark of the hub", one.spec) for one in BENCHMARKS.values()]
    return [*held, ("Embedded: held-out charts", HELD_OUT), *library, *exports, *public]


def metric_choices() -> Choices:
    """Every metric by its label."""
    return [(metric.label, metric.name) for metric in METRICS.values()]


def suggestions(
    context: StudioContext, data: str | None, split: str | None, columns: str | None, compared: bool
) -> list[str]:
    """Return the metrics that suit the first rows; none of a source on the hub, which is not asked.

    Args:
        compared: Whether models are compared.

    Raises:
        StudioError: The rows cannot be read.
    """
    spec = (data or "").strip()
    if is_benchmark(spec):
        return list(find_benchmark(spec).metrics)
    if not spec or not _is_here(context, spec):
        return []
    wanted = Wanted(model=EMBEDDED, data=spec, split=(split or "").strip())
    found = find_rows(context.workspace, wanted, columns_of(columns), FIRST_ROWS)
    names = suggested_metrics(found.rows)
    return [name for name in names if compared or name != MARGIN]


def _is_here(context: StudioContext, spec: str) -> bool:
    """Whether rows can be read without the network and at once."""
    if spec.startswith(RUN):
        try:
            source = context.runs.get(spec.removeprefix(RUN)).config.data.source
        except StudioError:
            return False
        return not source.startswith(RUN) and _is_here(context, source)
    if spec.startswith((LIBRARY, f"{EMBEDDED}:", "exports/")):
        return True
    return can_be_path(spec) and Path(spec).exists()


def columns_of(text: str | None) -> dict[str, str]:
    """Read `question=query, answer=label`.

    Raises:
        InputError: A part is not of that form.
    """
    found = {}
    for part in filter(None, (one.strip() for one in (text or "").split(","))):
        role, equals, name = (one.strip() for one in part.partition("="))
        if not (role and equals and name):
            raise InputError(
                f"{part[:80]!r} names no column.",
                remedy="Write role=name, for example question=query.",
                field="columns",
            )
        found[role] = name
    return found


def wanted_of(
    model: str | None,
    contestants: Sequence[str] | None,
    against: str | None,
    data: str | None,
    split: str | None,
    metrics: Sequence[str] | None,
    tokens: float | None,
    metric_file: str | None = "",
    quantization: str | None = "none",
    batch_size: float | None = None,
    same_base: bool | None = False,
    key_from: str | None = "",
) -> Wanted:
    """Read the form.

    Raises:
        InputError: Something is missing or out of bounds; `field` names it.
    """
    if not (model or "").strip():
        raise InputError("Which base model?", remedy="Choose one.", field="model")
    if not (data or "").strip():
        raise InputError("Which rows?", remedy="Choose some.", field="data")
    compared = against if against and against != NOBODY and contestants else ""
    return Wanted(
        model=str(model).strip(),
        adapters=tuple(contestants or ()),
        against=compared or "",
        metrics=tuple(metrics or ()),
        metric_file=(metric_file or "").strip(),
        batch_size=whole(batch_size, "batch_size", "Rows asked at once", MOST_AT_ONCE) or 16,
        quantization=quantization or "none",
        same_base=bool(same_base),
        max_new_tokens=whole(tokens, "tokens", "Longest answer", MOST_TOKENS) or 64,
        data=str(data).strip(),
        split=(split or "").strip(),
        key_from=(key_from or "").strip(),
    )


def leaving(
    model: str | None, contestants: Sequence[str] | None, key_from: str | None
) -> list[str]:
    """Say what would leave the machine with these models, a sentence for each endpoint.

    Raises:
        InputError: One is no endpoint that can be asked.
    """
    named = dict.fromkeys(filter(None, [(model or "").strip(), *(contestants or ())]))
    found = [
        endpoint_model(name, (key_from or "").strip()).endpoint
        for name in named
        if name.startswith(ENDPOINT)
    ]
    return [one.what_leaves() for one in found if one is not None]


def whole(number: float | None, name: str, label: str, most: int) -> int | None:
    """Read a whole number; None for an empty field.

    Raises:
        InputError: It is none, or out of bounds.
    """
    if number is None:
        return None
    if number != int(number) or not 1 <= number <= most:
        raise InputError(
            f"{label}: {number:g} is no whole number from 1 to {most:,}.",
            remedy="Change it.",
            field=name,
        )
    return int(number)


def row_metrics(evaluation: Evaluation) -> list[Metric]:
    """The metrics by which answers are right or wrong, the main one first."""
    try:
        metrics = metrics_of(evaluation.request)
    except InputError:  # the file of a user's own metric is gone
        return []
    return [one for one in metrics if one.of_answers and one.higher_is_better is not None]


def metric_of(evaluation: Evaluation, name: str | None) -> Metric | None:
    """The metric called so, else the main one; None without any."""
    metrics = row_metrics(evaluation)
    return next((one for one in metrics if one.name == name), metrics[0] if metrics else None)


def subject_choices(evaluation: Evaluation) -> Choices:
    """Models that rows can be looked at for: all but the one they are compared with."""
    request = evaluation.request
    return [
        (without_times(one.name), one.name)
        for one in request.models
        if one.name != request.baseline
    ]


def subject_of(evaluation: Evaluation, name: str | None) -> str:
    """The model called so, else the one that the evaluation is about."""
    known = {value for _, value in subject_choices(evaluation)}
    return name if name and name in known else evaluation.subject


def waits_for(
    context: StudioContext, evaluation: Evaluation, evaluations: Sequence[Evaluation]
) -> str:
    """Say what a queued evaluation waits for."""
    runs = [run for run in context.runs.list() if not run.status.elsewhere]
    going = next((run for run in runs if run.status.active), None)
    if going is not None:
        return f'Waits for the run "{going.name}": a model that trains keeps the memory.'
    if queue.is_paused(context.workspace):
        return "Waits: the queue of Runs is paused."
    waiting = sum(run.status.state == "queued" for run in runs)
    if waiting:
        return f"Waits for {counted(waiting, 'run')} in the queue."
    other = next((one for one in evaluations if one.status.state == "running"), None)
    if other is not None:
        return "Waits for the evaluation that goes on now."
    before = [one for one in evaluations if one.status.state == "queued"]
    place = before[::-1].index(evaluation)
    if place:
        return f"Waits for {counted(place, 'evaluation')} before it."
    return "Starts in a moment."


def seconds_left(evaluation: Evaluation) -> float | None:
    """How long an evaluation that goes on still takes; None while that is not known."""
    status = evaluation.status
    if status.state != "running" or not status.done or not status.total:
        return None
    return status.seconds / status.done * (status.total - status.done)


def when(at: float) -> str:
    """Write a time: `30 Nov 14:05`."""
    return time.strftime("%d %b %H:%M", time.localtime(at))
