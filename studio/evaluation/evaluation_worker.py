"""Computing an evaluation: what is not answered yet is asked, every answer kept as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from studio.config.model import ModelConfig
from studio.core.errors import StoppedError, StudioError
from studio.core.logs import log_told
from studio.core.paths import EvaluationPaths, Workspace, read_state
from studio.data.schema import Row
from studio.evaluation.endpoint_session import ROWS_AT_ONCE, EndpointSession
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.evaluated_rows import read_rows, with_system_prompt
from studio.evaluation.evaluation import DrawnAnswers, Evaluation, ModelResult, State
from studio.evaluation.evaluation_request import metrics_of
from studio.evaluation.evaluation_store import (
    ANSWER,
    DRAWN,
    LIKELIHOOD,
    EvaluationStore,
    append_answers,
    began,
    finish,
    hold,
    read_answers,
    read_drawn,
    update_status,
)
from studio.evaluation.model_session import ModelSession, check_model
from studio.evaluation.report import results_of, scored_texts, wants_answers
from studio.metrics import Metric
from studio.models.devices import pick_device
from studio.models.memory_check import refuse_if_too_large
from studio.runs.store import RunStore

BATCHES_AT_ONCE = 4
"""Batches that are kept together, so that images are encoded once for all models."""
LIBRARIES = ("torch", "transformers", "peft")
_KINDS = (ANSWER, LIKELIHOOD, DRAWN)
Progress = Callable[[int, int], None]
Deliver = Callable[[Mapping[str, Mapping[int, DrawnAnswers]]], None]
"""Is handed drawn answers, by model and row, as soon as they are on the disk; more than once at
worst."""


def compute(
    workspace: Workspace,
    evaluation_id: str,
    progress: Progress | None = None,
    deliver: Deliver | None = None,
) -> Evaluation:
    """Go through an evaluation to its end; what an earlier attempt has answered is not asked again.

    Args:
        deliver: Takes drawn answers as they come.

    Raises:
        InputError: A model, an adapter or a row cannot be used.
        BusyError: Another process computes it, or the memory is taken.
        StoppedError: It was asked to stop; it can go on.
        RunFailedError: The disk takes no more.
    """
    store = EvaluationStore(workspace)
    evaluation = store.get(evaluation_id)
    paths = store.paths(evaluation)
    with hold(paths):
        if store.get(evaluation_id).status.state == "finished":
            return store.get(evaluation_id)
        paths.control.unlink(missing_ok=True)  # an earlier wish to stop
        task = _Task(workspace, paths, evaluation, progress or (lambda done, total: None), deliver)
        try:
            task.compute()
        except (StoppedError, KeyboardInterrupt):
            task.end("stopped")
            raise
        except StudioError as error:
            log_told(error)
            task.end("failed", message=error.message, remedy=error.remedy)
            raise
    return store.get(evaluation_id)


class _Task:
    """One attempt at one evaluation."""

    def __init__(
        self,
        workspace: Workspace,
        paths: EvaluationPaths,
        evaluation: Evaluation,
        progress: Progress,
        deliver: Deliver | None = None,
    ) -> None:
        self._deliver = deliver or (lambda found: None)
        self.workspace, self.paths, self.request = workspace, paths, evaluation.request
        self.base = ModelConfig.model_validate(self.request.model)
        self.metrics: list[Metric] = metrics_of(self.request)
        rows, system = read_rows(paths.rows), self.request.system_prompt
        self.rows = with_system_prompt(rows, system) if system else rows
        self.texts = {n: scored_texts(row, self.metrics) for n, row in enumerate(self.rows)}
        answers, likelihoods = read_answers(paths)
        self.answers, self.likelihoods = dict(answers), dict(likelihoods)
        self.drawn = read_drawn(paths)
        self._progress = progress
        self.notes: list[str] = []
        self._before, self._began = evaluation.status.seconds, time.monotonic()
        self.total = len(self.request.models) * sum(len(self._wanted(kind)) for kind in _KINDS)

    def compute(self) -> None:
        began(self.paths, done=self._done, total=self.total)
        self._hand_over(range(len(self.rows)))  # a kill may have come between
        missing = [model for model in self.request.models if any(self._missing(model).values())]
        for model in missing:
            check_model(model, model.config(self.base))
        for model_id in dict.fromkeys(model.model for model in missing):
            self._ask([model for model in missing if model.model == model_id])
        results: dict[str, ModelResult] = {}
        if not self.request.draws:
            results = results_of(
                self.request, self.metrics, self.rows, self.answers, self.likelihoods
            )
        update_status(self.paths, seconds=self._seconds, done=self._done)
        versions = {name: version(name) for name in LIBRARIES}
        finish(self.paths, results, versions, pick_device().type, list(dict.fromkeys(self.notes)))

    def end(self, state: State, message: str = "", remedy: str = "") -> None:
        """Say how the attempt ended; a full disk does not take the place of the reason."""
        try:
            update_status(
                self.paths,
                state=state,
                seconds=self._seconds,
                done=self._done,
                message=message,
                remedy=remedy,
            )
        except StudioError as error:
            log_told(error)

    def _session(self, model: EvaluatedModel) -> ModelSession | EndpointSession:
        """What asks all models on one base, or one endpoint."""
        if model.endpoint is not None:
            return EndpointSession(
                model.endpoint, self.workspace, max_new_tokens=self.request.max_new_tokens
            )
        config = model.config(self.base)
        refuse_if_too_large(config, RunStore(self.workspace))
        return ModelSession(
            config,
            self.workspace,
            batch_size=self.request.batch_size,
            max_new_tokens=self.request.max_new_tokens,
        )

    def _ask(self, models: list[EvaluatedModel]) -> None:
        """Ask all models on one base."""
        session = self._session(models[0])
        try:
            for chunk in self._chunks(models, ANSWER):
                answers = session.answers(models, chunk, self._tell)
                self._keep(ANSWER, self.answers, answers)
            for chunk in self._chunks(models, DRAWN):
                drawn = session.drawn(models, chunk, self.request.draws, self._tell)
                self._keep(DRAWN, self.drawn, drawn)
            for chunk in self._chunks(models, LIKELIHOOD):
                found = session.likelihoods(models, chunk, self.texts, self._tell)
                self._keep(LIKELIHOOD, self.likelihoods, found)
        finally:
            self.notes += session.notes
            session.close()

    def _hand_over(self, numbers: Iterable[int]) -> None:
        """Deliver the rows of these that every model has written to."""
        names = [model.name for model in self.request.models]
        whole = [n for n in sorted(numbers) if all((name, n) in self.drawn for name in names)]
        if whole:
            self._deliver({name: {n: self.drawn[name, n] for n in whole} for name in names})

    def _tell(self, fresh: int) -> None:
        """Say how far it is within a chunk."""
        self._progress(min(self._done + fresh, self.total), self.total)

    def _chunks(self, models: Sequence[EvaluatedModel], kind: str) -> Iterator[dict[int, Row]]:
        """Yield the rows that a model has yet to answer, those of one image together."""
        missing = {number for model in models for number in self._missing(model)[kind]}
        groups: dict[tuple[str, ...], list[int]] = {}
        for number in sorted(missing):
            groups.setdefault(self.rows[number].images, []).append(number)
        chunk: list[int] = []
        most = BATCHES_AT_ONCE * self.request.batch_size // max(1, len(self.request.draws))
        if models[0].endpoint is not None:
            most = min(most, ROWS_AT_ONCE)
        for group in groups.values():
            chunk += group
            if len(chunk) >= most:
                yield {number: self.rows[number] for number in chunk}
                chunk = []
        if chunk:
            yield {number: self.rows[number] for number in chunk}

    def _keep(
        self,
        kind: str,
        known: dict[tuple[str, int], Any],
        found: Mapping[str, Mapping[int, Any]],
    ) -> None:
        for name, batch in found.items():
            fresh = {number: one for number, one in batch.items() if (name, number) not in known}
            append_answers(self.paths, kind, name, fresh)
            known.update({(name, number): one for number, one in fresh.items()})
        if kind == DRAWN:
            self._hand_over({number for batch in found.values() for number in batch})
        update_status(self.paths, durable=False, done=self._done, seconds=self._seconds)
        self._progress(self._done, self.total)
        if read_state(self.paths.control).get("command") == "stop":
            raise StoppedError(
                f"Evaluation {self.paths.evaluation_id} was stopped after {self._done:,} of "
                f"{self.total:,} answers.",
                remedy=f"Go on with: python -m studio evaluate --resume {self.paths.evaluation_id}",
            )

    def _wanted(self, kind: str) -> list[int]:
        if self.request.draws:
            return list(range(len(self.rows))) if kind == DRAWN else []
        if kind == DRAWN:
            return []
        if kind == ANSWER:
            return list(range(len(self.rows))) if wants_answers(self.metrics) else []
        return [number for number, texts in self.texts.items() if texts]

    def _missing(self, model: EvaluatedModel) -> dict[str, list[int]]:
        known: dict[str, Mapping[tuple[str, int], object]] = {
            ANSWER: self.answers,
            LIKELIHOOD: self.likelihoods,
            DRAWN: self.drawn,
        }
        return {
            kind: [
                number for number in self._wanted(kind) if (model.name, number) not in known[kind]
            ]
            for kind in _KINDS
        }

    @property
    def _done(self) -> int:
        return len(self.answers) + len(self.likelihoods) + len(self.drawn)

    @property
    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began
