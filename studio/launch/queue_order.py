"""The queue of a dataset put into an order by what the newest model makes of its pairs.

A pair is worth a label when the model is unsure which of its two answers is likelier. It is computed
by a process of its own, started from here; what it is at stands in a small file of the workspace.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import psutil
from filelock import FileLock, Timeout

from studio.annotation import AnnotationStore, PairCard
from studio.annotation.labeling.queue_order import QueueState
from studio.core.errors import BusyError, InputError, RunFailedError, StoppedError, StudioError
from studio.core.logs import log_told
from studio.core.paths import EMBEDDED, Workspace, read_state, write_json
from studio.core.process_identity import process_alive
from studio.data.schema import Row
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluation import AnswerLikelihoods
from studio.evaluation.evaluation_request import Wanted, base_settings, find_models
from studio.evaluation.evaluation_store import EvaluationStore
from studio.evaluation.match import MatchStore
from studio.launch.evaluation_job import run_waits, start_child
from studio.launch.learning_curve import (
    LearningCurve,
    curve_file,
    learning_curve,
    write_point,
)
from studio.launch.opened_store import opened_store
from studio.runs.store import Run, RunStore

logger = logging.getLogger(__name__)
PAIRS_AT_ONCE = 64
BATCH = 16
ORDER = ("-m", "studio", "order")
BY_ITSELF = "the studio"
AGAIN = 20
"""Answers after which the queue of a round is ordered again, unless its lead says otherwise."""
LOOK_EVERY = 15.0
"""Seconds between two looks at whether a queue is to be ordered again."""
Progress = Callable[[int, int], None]


class Session(Protocol):
    """What asks a model; `ModelSession` is such."""

    def likelihoods(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        texts: Mapping[int, Sequence[str]],
        progress: Callable[[int], None],
    ) -> dict[str, dict[int, AnswerLikelihoods]]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class OrderStatus:
    """How the ordering of a dataset's queue stands.

    Attributes:
        state: Empty before the first one; `wished` where a round wants one as soon as its pairs are
            there; `running`, `finished`, `stopped` or `failed`.
        model: Who was asked how likely the answers are.
        run: Its run; empty for a base.
        done, total: Pairs weighed, of those that wait.
        failed: Pairs that could not be weighed, by the reason; they come last.
        labels: Answers that the dataset had then.
        again: It is ordered again after so many answers where its lead has set nothing.
        message, remedy: Why it failed, in words.
    """

    state: str = ""
    dataset: str = ""
    model: str = ""
    run: str = ""
    who: str = ""
    done: int = 0
    total: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    labels: int = 0
    again: int = 0
    pid: int = 0
    pid_started: float = 0.0
    at: float = 0.0
    message: str = ""
    remedy: str = ""

    @property
    def alive(self) -> bool:
        """Whether its process is at it."""
        return self.state == "running" and process_alive(self.pid, self.pid_started)


@dataclass(frozen=True)
class OrderReport:
    """What came of putting a queue into an order; counts are of pairs that wait."""

    dataset: str
    model: str
    ranked: int
    random: int
    failed: Mapping[str, int]
    seconds: float


def order_queue(
    workspace: Workspace,
    dataset: str,
    *,
    model: str = "",
    who: str,
    progress: Progress = lambda done, total: None,
    makes_way: bool = False,
    session: Session | None = None,
    store: AnnotationStore | None = None,
) -> OrderReport:
    """Weigh the pairs that wait with a model, and put the queue into an order by it.

    Args:
        model: `MODEL` or `MODEL@RUN`; empty: the newest finished run with an adapter, else the
            embedded model.
        makes_way: Stop when a run waits for the device.
        session: What asks the model; None: it is opened.
        store: The store that this process has open; None: one is opened.

    Raises:
        NotFoundError: There is no such dataset or run.
        InputError: The dataset is that of a match, or nothing waits.
        BusyError: Another process is at it.
        StoppedError: It made way for a run.
    """
    began = time.monotonic()
    with opened_store(workspace, store) as library, _alone(workspace, dataset):
        ensure_orderable(workspace, dataset)
        status = OrderStatus(
            "running",
            dataset,
            who=who,
            pid=os.getpid(),
            pid_started=psutil.Process().create_time(),
            at=time.time(),
            labels=library.order.state(dataset).labels,
            again=order_status(workspace, dataset).again,
        )
        task = _Task(workspace, library, status, progress, makes_way)
        try:
            state = task.order(model, session)
        except StoppedError as error:
            task.tell(state="stopped", message=error.message, remedy=error.remedy)
            raise
        except StudioError as error:
            task.tell(state="failed", message=error.message, remedy=error.remedy)
            raise
        except KeyboardInterrupt:
            task.tell(state="failed", message="It was stopped; the queue is as it was.")
            raise
        task.tell(state="finished", at=time.time())
        done = task.status
    return OrderReport(
        dataset,
        done.model,
        state.ranked,
        state.random,
        done.failed,
        round(time.monotonic() - began, 1),
    )


class _Task:
    """One ordering of one queue."""

    def __init__(
        self,
        workspace: Workspace,
        library: AnnotationStore,
        status: OrderStatus,
        progress: Progress,
        makes_way: bool,
    ) -> None:
        self._workspace, self._library, self._progress = workspace, library, progress
        self.status, self._makes_way = status, makes_way
        self._preferred: dict[int, int] = {}

    def tell(self, **changes: Any) -> None:
        """Write down how far it is."""
        self.status = replace(self.status, **changes)
        write_json(order_file(self._workspace, self.status.dataset), asdict(self.status), False)

    def order(self, model: str, session: Session | None) -> QueueState:
        dataset = self.status.dataset
        waiting = self._library.order.waiting(dataset)
        if not waiting:
            raise InputError(
                f"No pair of {dataset!r} waits for an answer.",
                remedy="Import rows, or let a model write candidates.",
                field="dataset",
            )
        asked = find_weigher(self._workspace, model)
        self.tell(model=asked.name, run=asked.run, total=len(waiting))
        opened = session or _session(self._workspace, asked)
        worth: dict[int, float] = {}
        try:
            for start in range(0, len(waiting), PAIRS_AT_ONCE):
                if self._makes_way and run_waits(self._workspace):
                    raise StoppedError(
                        "A run takes the device; the queue is as it was.",
                        remedy="Order it again after the run: what was weighed is kept.",
                    )
                cards = self._library.order.cards(waiting[start : start + PAIRS_AT_ONCE])
                worth |= self._weighed(opened, asked, cards)
                self.tell(done=min(start + PAIRS_AT_ONCE, len(waiting)))
                self._progress(self.status.done, len(waiting))
        finally:
            opened.close()
        state = self._library.order.arrange(self.status.who, dataset, worth)
        by_lot = self._library.order.by_lot(dataset)
        preferred = {pair: place for pair, place in self._preferred.items() if pair in by_lot}
        curve = curve_file(order_file(self._workspace, dataset))
        write_point(curve, self.status.labels, self.status.model, preferred)
        return state

    def _weighed(
        self, session: Session, asked: EvaluatedModel, cards: Sequence[PairCard]
    ) -> dict[int, float]:
        rows = {n: Row(str(c.pair_id), c.images, c.prompt) for n, c in enumerate(cards)}
        texts = {n: (c.left.text, c.right.text) for n, c in enumerate(cards)}
        found = session.likelihoods([asked], rows, texts, lambda done: None)[asked.name]
        worth: dict[int, float] = {}
        failed = dict(self.status.failed)
        for number, card in enumerate(cards):
            scores = found.get(number, AnswerLikelihoods(reason="It was not scored."))
            if len(scores.totals) == 2:
                left, right = scores.totals
                worth[card.pair_id] = -abs(left - right)
                left_is_first = card.left.candidate_id < card.right.candidate_id
                self._preferred[card.pair_id] = int((left > right) != left_is_first)
            else:
                failed[scores.reason] = failed.get(scores.reason, 0) + 1
        self.status = replace(self.status, failed=failed)
        return worth


def find_weigher(workspace: Workspace, model: str = "") -> EvaluatedModel:
    """Return who weighs pairs: `MODEL[@RUN[@STEP]]`, else the newest run's adapter, else the
    embedded model.

    Raises:
        InputError, NotFoundError: There is no such model or run.
    """
    runs = RunStore(workspace)
    if not model:
        run = newest_adapter(runs)
        model = f"{run.config.model.id}@{run.run_id}" if run else EMBEDDED
    base, _, name = model.partition("@")
    (found,) = find_models(runs, Wanted(base, (name,) if name else ()))
    if found.endpoint is not None:
        raise InputError(
            "An endpoint does not say how likely an answer is.",
            remedy="Give a model of this machine: MODEL or MODEL@RUN.",
            field="model",
        )
    return found


def newest_adapter(runs: RunStore) -> Run | None:
    """Return the newest run that has finished and left an adapter; None without any."""
    return next((r for r in runs.list() if r.status.state == "finished" and r.has_adapter), None)


def ensure_orderable(workspace: Workspace, dataset: str) -> None:
    """Refuse the dataset of a match: its win rate holds only for pairs in any order but this.

    Raises:
        InputError: It is one.
    """
    if any(match.dataset == dataset for match in MatchStore(workspace).list()):
        raise InputError(
            f"{dataset!r} belongs to a match: chosen pairs would make its win rate wrong.",
            remedy="Judge it in the order that it has.",
            field="dataset",
        )


def order_status(workspace: Workspace, dataset: str) -> OrderStatus:
    """Read how the ordering of a dataset's queue stands; one whose process is gone has failed."""
    known = {one.name for one in fields(OrderStatus)}
    values = read_state(order_file(workspace, dataset))
    found = OrderStatus(**{name: value for name, value in values.items() if name in known})
    if found.state == "running" and not found.alive:
        return replace(
            found,
            state="failed",
            message="Its process ended before the queue was in order.",
            remedy="Order it again: what was weighed is kept.",
        )
    return found


def wish_order(workspace: Workspace, dataset: str) -> None:
    """Let the studio order a dataset's queue as soon as nothing more is written to it.

    Raises:
        RunFailedError: The disk takes no more.
    """
    wished = OrderStatus("wished", dataset, who=BY_ITSELF, again=AGAIN)
    try:
        write_json(order_file(workspace, dataset), asdict(wished), False)
    except OSError as error:
        raise RunFailedError(
            f"The order of {dataset!r} cannot be written to {workspace.orders}: "
            f"{error.strerror or error}.",
            remedy="Make room, then take the step again.",
        ) from error


def end_order(workspace: Workspace, dataset: str, who: str, store: AnnotationStore) -> None:
    """Hand pairs out in the order in which they came again. Raises NotFoundError."""
    with _alone(workspace, dataset):
        store.order.clear(who, dataset)
        order_file(workspace, dataset).unlink(missing_ok=True)


def order_file(workspace: Workspace, dataset: str) -> Path:
    """Return the file that says how the ordering of a dataset's queue stands."""
    return workspace.orders / f"{_digest(dataset)}.json"


def curve_of(workspace: Workspace, dataset: str, store: AnnotationStore) -> LearningCurve:
    """Return whether more labels of a dataset are worth it. Raises NotFoundError."""
    return learning_curve(store, dataset, curve_file(order_file(workspace, dataset)))


class OrderJobs:
    """Orderings that this studio starts, one at a time, each a process of its own."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._child: subprocess.Popen | None = None
        self._looked = 0.0

    @property
    def busy(self) -> bool:
        """Whether a child of this studio is at it."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        return self._child is not None

    def start(self, dataset: str, who: str, model: str = "") -> None:
        """Begin to order the queue of a dataset, in a child.

        Raises:
            BusyError: One is being ordered.
            InputError, NotFoundError: It cannot be ordered, or not by this model.
        """
        ensure_orderable(self.workspace, dataset)
        find_weigher(self.workspace, model)
        if self.busy or order_status(self.workspace, dataset).alive:
            raise BusyError("A queue is being put into order.", remedy="Wait for its end.")
        place = str(self.workspace.root)
        options = ["--workspace", place, "--who", who, "--makes-way"]
        options += ["--model", model] if model else []
        log = order_file(self.workspace, dataset).with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as handle:
            self._child = start_child([*ORDER, *options, "--", dataset], handle)

    def step(self, store: AnnotationStore) -> None:
        """Order a queue again whose labels or models have moved on, where its lead wants that."""
        if self.busy or time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        newest = newest_adapter(RunStore(self.workspace))
        for view in store.datasets():
            if view.waiting and self._is_due(store, view.name, newest):
                try:
                    self.start(view.name, BY_ITSELF)
                except StudioError as error:
                    log_told(error)
                    continue
                return

    def _is_due(self, store: AnnotationStore, dataset: str, newest: Run | None) -> bool:
        last = order_status(self.workspace, dataset)
        wanted = store.team.settings(dataset).reorder_after or last.again
        if last.state == "wished":
            return not self._is_written(dataset)
        if not wanted or last.alive or not last.state:
            return False
        if last.state == "failed" and last.who == BY_ITSELF:
            return False  # a person has to look
        new_run = newest is not None and newest.run_id != last.run
        return new_run or store.order.state(dataset).labels - last.labels >= wanted

    def _is_written(self, dataset: str) -> bool:
        """Whether a model still writes answers to a dataset."""
        made = EvaluationStore(self.workspace).list(drawn=True)
        return any(
            one.request.dataset == dataset and one.status.state in ("queued", "running")
            for one in made
        )


def _session(workspace: Workspace, asked: EvaluatedModel) -> Session:
    from studio.evaluation.model_session import ModelSession, check_model
    from studio.models.memory_check import refuse_if_too_large

    runs = RunStore(workspace)
    names = (asked.run,) if asked.run else ()
    base = base_settings(runs, Wanted(asked.model, names), [asked])
    check_model(asked, base)
    refuse_if_too_large(base, runs)
    return ModelSession(base, workspace, batch_size=BATCH, max_new_tokens=1)


def _digest(dataset: str) -> str:
    return hashlib.sha256(dataset.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@contextmanager
def _alone(workspace: Workspace, dataset: str) -> Iterator[None]:
    """Keep a second process from ordering the same queue."""
    workspace.orders.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(order_file(workspace, dataset).with_suffix(".lock"), timeout=0):
            yield
    except Timeout as error:
        raise BusyError(
            f"The queue of {dataset!r} is being put into order already, in another process.",
            remedy="Wait for its end, or stop it there.",
        ) from error
