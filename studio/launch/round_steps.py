"""The steps of a round, each taken with what its own tab takes it with."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from studio.annotation import AnnotationStore
from studio.annotation.export.export_shapes import completions
from studio.annotation.records import ExportPolicy
from studio.config.adapter import AdapterConfig
from studio.config.round import RoundSettings, training_of
from studio.config.run import RunConfig
from studio.core.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    RunFailedError,
    StudioError,
)
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.data.frozen_dataset import freeze
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.data.trl_conversion import unusable
from studio.evaluation.evaluated_models import BASE
from studio.evaluation.evaluated_rows import read_rows
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_request import Wanted
from studio.evaluation.evaluation_store import EvaluationStore
from studio.launch.candidates import create_candidates, delivery_of, draws_of
from studio.launch.evaluation_job import create_evaluation
from studio.launch.matches import create_match
from studio.launch.queue_order import BY_ITSELF, order_queue, order_status, wish_order
from studio.launch.round_state import STEPS, RoundView, StepName, is_dead, look_at_round
from studio.launch.round_store import Round, RoundStore
from studio.launch.supervisor import Supervisor
from studio.runs.control.commands import mark_dead
from studio.runs.store import Run, RunStore

POLICY = ExportPolicy(include_imported=True)
"""An answer to a spoilt image is the worse one without a label; labels come before that."""
POLL = 0.5
Say = Callable[[str], None]


def moved_on(view: RoundView, expected: StepName) -> ConflictError:
    """Return the refusal of a step that somebody else has taken meanwhile."""
    now = f"its next step is: {STEPS[view.next.name].lower()}" if view.next else "it is at its end"
    return ConflictError(
        f"{view.round.title} has moved on: somebody else has taken the step "
        f"{STEPS[expected].lower()!r}; {now}.",
        remedy="Look at it again, then take the step that is next.",
    )


@dataclass
class RoundSteps:
    """Takes steps of rounds.

    Attributes:
        supervisor: Of the studio whose queue takes what computes; None: this process computes it
            and waits for its end.
        store: The store that this process has open; None: one is opened for each step.
        say: Told what begins.
    """

    workspace: Workspace
    supervisor: Supervisor | None = None
    store: AnnotationStore | None = None
    say: Say = lambda text: None
    who: str = ""
    quiet: bool = True

    def take(self, one: Round, expected: StepName | None = None) -> RoundView:
        """Take the next step of a round, or go on with one that was cut short.

        Args:
            expected: The step that is meant; None: the one that is next at the time of the call.

        Returns:
            The round as it stands then; its next step is the same one while it waits for people,
            or for the queue of a studio.

        Raises:
            BusyError: Another process takes a step of it.
            ConflictError: What is next is a decision, which only people take; or the step that is
                meant was taken by somebody else meanwhile.
            StudioError: As the step itself; what is done so far is kept.
        """
        if expected is None:
            due = look_at_round(self.workspace, one, self.store).next
            expected = due.name if due is not None else None
        with RoundStore(self.workspace).working(one), self._library() as store:
            view = look_at_round(self.workspace, one, store)
            step = view.next
            if expected is not None and (step is None or step.name != expected):
                raise moved_on(view, expected)
            if step is None or step.state in ("queued", "waits for people"):
                return view
            if step.state == "running":  # another process is at it
                if view.run is not None and step.name == "training" and self.supervisor is None:
                    self._wait_for(view.run)
                    view = look_at_round(self.workspace, one, store)
                return view
            if step.name == "labels":
                raise InputError(
                    f"There is nothing to label in {one.title}: {step.sentence}",
                    remedy="Start a round with a higher temperature, more answers or other rows.",
                )
            if step.name == "decision":
                raise ConflictError(
                    f"{one.title} waits for a decision: accept run {view.run_id} or roll it back.",
                    remedy=f"python -m studio runs decide {view.run_id} --accept --reason WHY",
                )
            getattr(self, f"_{step.name}")(view, store)
            return look_at_round(self.workspace, one, store)

    def go_on(self, one: Round, expected: StepName | None = None) -> RoundView:
        """Take steps until people are asked, a studio's queue has it, or a decision is due.

        Raises:
            As `take`, whose `expected` is the first step here.
        """
        view = look_at_round(self.workspace, one, self.store)
        if expected is not None and (view.next is None or view.next.name != expected):
            raise moved_on(view, expected)
        while view.next is not None and view.next.name != "decision":
            before = view.next
            view = self.take(one, before.name)
            if view.next == before:
                break
        return view

    def _library(self) -> AbstractContextManager[AnnotationStore]:
        if self.store is not None:
            return nullcontext(self.store)
        return closing(AnnotationStore(self.workspace.database_url))

    def _candidates(self, view: RoundView, store: AnnotationStore) -> None:
        one, settings = view.round, view.round.settings
        made = view.candidates
        if made is None:
            if one.start:  # first: a kill in between would leave pairs that nobody orders
                wish_order(self.workspace, one.dataset)
            wanted = Wanted(
                settings.model,
                adapters=(one.start,) if one.start else (),
                data=settings.data,
                dataset=one.dataset,
                max_new_tokens=settings.max_new_tokens,
                quantization=training_of(settings).model.quantization,
                draws=draws_of(
                    settings.answers,
                    temperature=settings.temperature,
                    top_p=settings.top_p,
                    seed=settings.seed,
                ),
            )
            made = create_candidates(
                self.workspace,
                wanted,
                limit=settings.rows,
                store=store,
                recipe=settings.recipe,
                here=self.supervisor is None,
                without=self._answered_before(one),
            )
        elif self.supervisor is not None:
            self.supervisor.evaluations.resume(made.evaluation_id)
        self.say(f"{one.title}: {settings.answers} answers to each of {made.request.rows:,} rows …")
        self._compute(made)
        if self.supervisor is None:
            self._order(one, store)

    def _order(self, one: Round, store: AnnotationStore) -> None:
        """Put the pairs of a round that began with an adapter into the order that teaches most."""
        if order_status(self.workspace, one.dataset).state != "wished":
            return
        try:
            report = order_queue(self.workspace, one.dataset, who=BY_ITSELF, store=store)
        except StudioError as error:
            log_told(error)
            self.say(f"! Its pairs are handed out as they came: {error.message} {error.remedy}")
            return
        self.say(
            f"{one.title}: {report.ranked:,} pairs in the order that teaches most, "
            f"{report.random:,} by lot …"
        )

    def _answered_before(self, one: Round) -> frozenset[tuple[tuple[str, ...], str]]:
        """Images and questions of the rows that earlier rounds have taken."""
        earlier = {before.dataset for before in RoundStore(self.workspace).earlier(one)}
        evaluations = EvaluationStore(self.workspace)
        return frozenset(
            (row.images, row.question)
            for made in evaluations.list(drawn=True)
            if made.request.dataset in earlier
            for row in read_rows(evaluations.paths(made).rows)
        )

    def _export(self, view: RoundView, store: AnnotationStore) -> None:
        one = view.round
        method = training_of(one.settings).method
        rows = self._labelled(store, one, method)
        if not rows:
            raise InputError(
                f"No label of {one.title} says which answer is the better one.",
                remedy="Label more of its pairs, or start a round with other rows.",
            )
        earlier = self._earlier(store, one, method)
        extra = {"dataset": one.dataset, "round": one.round_id, "earlier": len(earlier)}
        self.say(f"{one.title}: {len(rows):,} labels, {len(earlier):,} from earlier rounds …")
        try:
            freeze(
                [*rows, *earlier],
                one.run_name,
                self.workspace,
                extra,
                method=method,
                evaluation_share=0.0,
            )
        except OSError as error:
            raise RunFailedError(
                f"The labels of {one.title} cannot be written to {self.workspace.exports}: "
                f"{error.strerror or error}.",
                remedy="Make room, then take the step again; no label is lost.",
            ) from error

    def _labelled(self, store: AnnotationStore, one: Round, method: Any) -> list[Row]:
        images = ImageStore(self.workspace)
        rows = store.decided_preferences(one.dataset, POLICY).rows
        if method == "sft":
            rows, _ = completions(rows)
        return [row for row in rows if not unusable(row, method, images)]

    def _earlier(self, store: AnnotationStore, one: Round, method: Any) -> list[Row]:
        """Rows of earlier rounds, a share of each drawn in an order that stays the same."""
        found: list[Row] = []
        for before in RoundStore(self.workspace).earlier(one):
            try:
                rows = self._labelled(store, before, method)
            except NotFoundError:
                self.say(f"! The labels of {before.title} are gone: it goes on without them.")
                continue
            rows = [replace(row, external_id=f"{before.number}: {row.external_id}") for row in rows]
            kept = round(one.settings.earlier * len(rows))
            found += random.Random(before.round_id).sample(rows, kept)
        return found

    def _training(self, view: RoundView, store: AnnotationStore) -> None:
        one, run = view.round, view.run
        if run is not None and is_dead(run):
            mark_dead(run.paths)
            run = RunStore(self.workspace).get(run.run_id)
        goes_on = run is not None and run.status.state in ("stopped", "failed")
        self.say(f"{one.title}: {'going on with' if goes_on else 'training'} the model …")
        if self.supervisor is not None:
            if run is not None and goes_on:
                self.supervisor.resume(run.run_id)
            else:
                self.supervisor.submit(self.run_settings(view))
            return
        from studio.launch.foreground_run import follow, start_now
        from studio.launch.run_preparation import prepare

        if run is not None and goes_on:
            run = start_now(run.config, self.workspace, run)
        else:
            run = start_now(prepare(self.run_settings(view), self.workspace, store), self.workspace)
        status = follow(run, quiet=self.quiet)
        if status.state != "finished":
            raise RunFailedError(
                f"Run {run.run_id} of {one.title} {status.state}: {status.message}",
                remedy=status.remedy or f"Its log is {run.paths.log}.",
            )

    def _wait_for(self, run: Run) -> None:
        """Wait for the end of a run whose worker has outlived who started it."""
        self.say(f"Run {run.run_id} is going on: waiting for its end …")
        store = RunStore(self.workspace)
        while (now := store.get(run.run_id)).status.active and not is_dead(now):
            time.sleep(POLL)

    def run_settings(self, view: RoundView) -> RunConfig:
        """Return the settings of the run that trains a round.

        Raises:
            ConflictError: Its labels are not exported yet.
        """
        one = view.round
        if view.export is None:
            raise ConflictError(
                f"The labels of {one.title} are not exported yet.", remedy="Export them first."
            )
        begun = training_of(one.settings)
        adapter = begun.adapter
        if one.start:
            adapter = (adapter or AdapterConfig()).model_copy(update={"continue_from": one.start})
        source = {"source": view.export.spec, "train": "train", "evaluation": None}
        data = begun.data.model_copy(update={**source, "columns": {}})
        return begun.model_copy(update={"name": one.run_name, "adapter": adapter, "data": data})

    def _evaluation(self, view: RoundView, store: AnnotationStore) -> None:
        wanted = {view.round.settings.goal: view.goal, view.round.settings.known: view.known}
        for data, made in wanted.items():
            if not data or (made is not None and made.status.state == "finished"):
                continue
            if made is None:
                self.say(f"{view.round.title}: base and models answer {data} …")
                made = self._asked(view.round, view.run_id, data)
            elif self.supervisor is not None:
                self.supervisor.evaluations.resume(made.evaluation_id)
            self._compute(made)

    def _asked(self, one: Round, run_id: str, data: str) -> Evaluation:
        settings: RoundSettings = one.settings
        wanted = Wanted(
            settings.model,
            adapters=(run_id, *([one.start] if one.start else [])),
            against=BASE,
            max_new_tokens=settings.max_new_tokens,
            quantization=training_of(settings).model.quantization,
            data=data,
        )
        return create_evaluation(self.workspace, wanted, here=self.supervisor is None)

    def _match(self, view: RoundView, store: AnnotationStore) -> None:
        if view.goal is None:
            raise ConflictError(
                f"{view.round.title} is not evaluated yet.", remedy="Evaluate it first."
            )
        self.say(f"{view.round.title}: a blind match …")
        # What base and last model are to each other was judged in the round before.
        about = next(model.name for model in view.goal.request.models if model.run == view.run_id)
        create_match(
            self.workspace,
            view.goal.evaluation_id,
            store=store,
            who=self.who,
            about=about,
        )

    def _compute(self, made: Evaluation) -> None:
        """Compute an evaluation here; a studio takes it from its queue."""
        if self.supervisor is not None:
            return
        from studio.evaluation.evaluation_worker import compute

        deliver: Any = delivery_of(self.workspace, made.evaluation_id)
        compute(self.workspace, made.evaluation_id, deliver=deliver)
