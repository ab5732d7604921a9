"""Computing an evaluation: what is not answered yet is asked, every answer kept as it comes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from studio.config.model import ModelConfig
from studio.core.errors import DataError, NotFoundError, StoppedError, StudioError
from studio.core.logs import log_told
from studio.core.paths import EvaluationPaths, Workspace, read_state
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.evaluation.candidate_pictures import pictured
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
Session = ModelSession | EndpointSession
_KINDS = (ANSWER, LIKELIHOOD, DRAWN)
Progress = Callable[[int, int], None]
Deliver = Callable[
    [Mapping[str, Mapping[int, DrawnAnswers]], Mapping[int, Mapping[str, float]]], None
]
"""Is handed drawn answers, by model and row, as soon as they are on the disk, and the margins of
each row's answers where they were weighed; more than once at worst."""
MakesWay = Callable[[], bool]
logger = logging.getLogger(__name__)


class MadeWay(StoppedError):
    """A run takes the device."""


def compute(
    workspace: Workspace,
    evaluation_id: str,
    progress: Progress | None = None,
    deliver: Deliver | None = None,
    makes_way: MakesWay = lambda: False,
) -> Evaluation:
    """Go through an evaluation to its end; what an earlier attempt has answered is not asked again.

    Args:
        deliver: Takes drawn answers as they come.
        makes_way: Asked after every few rows; when it says so the evaluation goes back into the
            queue, with what is answered.

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
        told = progress or (lambda done, total: None)
        task = _Task(workspace, paths, evaluation, told, deliver, makes_way)
        try:
            task.compute()
        except MadeWay as way:
            task.end("queued", message=way.message)
        except (StoppedError, KeyboardInterrupt):
            task.end("stopped")
            raise
        except StudioError as error:
            log_told(error)
            reason = task.changed_weights() or error
            task.end("failed", message=reason.message, remedy=reason.remedy)
            if reason is error:
                raise
            raise reason from error
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
        makes_way: MakesWay = lambda: False,
    ) -> None:
        self._deliver = deliver or (lambda found, margins: None)
        self.workspace, self.paths, self.request = workspace, paths, evaluation.request
        self.base = ModelConfig.model_validate(self.request.model)
        self.metrics: list[Metric] = metrics_of(self.request)
        rows, system = read_rows(paths.rows), self.request.system_prompt
        self.rows = with_system_prompt(rows, system) if system else rows
        self.texts = {n: scored_texts(row, self.metrics) for n, row in enumerate(self.rows)}
        answers, likelihoods = read_answers(paths)
        self.answers, self.likelihoods = dict(answers), dict(likelihoods)
        self.drawn = read_drawn(paths)
        self.weighs = self.request.rule == "margin"
        self._progress, self._makes_way = progress, makes_way
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

    def changed_weights(self) -> StudioError | None:
        """Say which weights are gone or others by now: what failed then failed because of that."""
        for model in self.request.models:
            try:
                model.ensure_unchanged()
            except StudioError as error:
                return error
        return None

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

    def _session(self, model: EvaluatedModel) -> Session:
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
                self._keep(DRAWN, self.drawn, self._draw(session, models, chunk))
                if self.weighs:
                    self._weigh(session, models, chunk)
            for chunk in self._chunks(models, LIKELIHOOD):
                self._weigh(session, models, chunk)
        finally:
            self.notes += session.notes
            session.close()

    def _draw(
        self, session: Session, models: Sequence[EvaluatedModel], chunk: Mapping[int, Row]
    ) -> dict[str, dict[int, DrawnAnswers]]:
        """Let all models write to some rows, each seeing of the images what it is to see."""
        found: dict[str, dict[int, DrawnAnswers]] = {}
        for picture in dict.fromkeys(model.picture for model in models):
            rows, failed = self._pictured(chunk, picture)
            some = [model for model in models if model.picture == picture]
            drawn = session.drawn(some, rows, self.request.draws, self._tell) if rows else {}
            found |= {model.name: drawn.get(model.name, {}) | failed for model in some}
        return found

    def _pictured(
        self, chunk: Mapping[int, Row], picture: str
    ) -> tuple[dict[int, Row], dict[int, DrawnAnswers]]:
        """Rows as a writer sees them; of those whose images cannot be read, the reason."""
        rows, failed = {}, {}
        for number, row in chunk.items():
            try:
                rows[number] = pictured(row, picture, ImageStore(self.workspace))
            except (DataError, NotFoundError) as error:
                logger.info("Row %s cannot be shown: %s", row.external_id, error)
                failed[number] = DrawnAnswers(reason=str(error))
        return rows, failed

    def _weigh(
        self, session: Session, models: Sequence[EvaluatedModel], chunk: Mapping[int, Row]
    ) -> None:
        """Score given answers to some rows; where rows are written to, those that were written."""
        texts = {number: self._texts_of(number) for number in chunk}
        found = session.likelihoods(models, chunk, texts, self._tell)
        self._keep(LIKELIHOOD, self.likelihoods, found)

    def _texts_of(self, number: int) -> list[str]:
        """The answers to a row that are scored; each that was written once, in order."""
        if not self.weighs:
            return list(self.texts[number])
        names = [model.name for model in self.request.models]
        drawn = [self.drawn[name, number] for name in names if (name, number) in self.drawn]
        texts = (answer.text for one in drawn for answer in one.answers)
        return list(dict.fromkeys(text for text in texts if text.strip()))

    def _hand_over(self, numbers: Iterable[int]) -> None:
        """Deliver the rows of these that every model has written to, and weighed where it is to."""
        names = [model.name for model in self.request.models]
        done: list[Mapping[tuple[str, int], object]] = [self.drawn]
        done += [self.likelihoods] if self.weighs else []
        whole = [
            n
            for n in sorted(numbers)
            if all((name, n) in known for name in names for known in done)
        ]
        if whole:
            margins = {n: self._margins(n) for n in whole} if self.weighs else {}
            found = {name: {n: self.drawn[name, n] for n in whole} for name in names}
            self._deliver(found, margins)

    def _margins(self, number: int) -> dict[str, float]:
        """How much more the adapter likes each answer to a row than its base does, in nats."""
        base, adapter = (
            self.likelihoods[model.name, number].totals
            for model in sorted(self.request.models, key=lambda model: bool(model.folder))
        )
        texts = self._texts_of(number)
        if not len(texts) == len(base) == len(adapter):
            return {}
        return {text: b - a for text, a, b in zip(texts, base, adapter, strict=True)}

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
        if kind == (LIKELIHOOD if self.weighs else DRAWN):
            self._hand_over({number for batch in found.values() for number in batch})
        update_status(self.paths, durable=False, done=self._done, seconds=self._seconds)
        self._progress(self._done, self.total)
        self._halt()

    def _halt(self) -> None:
        """Raise StoppedError when somebody asks to stop, or a run waits for the device."""
        if self._makes_way():
            raise MadeWay("A run takes the device; this goes on after it.")
        if read_state(self.paths.control).get("command") == "stop":
            raise StoppedError(
                f"Evaluation {self.paths.evaluation_id} was stopped after {self._done:,} of "
                f"{self.total:,} answers.",
                remedy=f"Go on with: python -m studio evaluate --resume {self.paths.evaluation_id}",
            )

    def _wanted(self, kind: str) -> list[int]:
        if self.request.draws:
            wanted = kind == DRAWN or (kind == LIKELIHOOD and self.weighs)
            return list(range(len(self.rows))) if wanted else []
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
