"""A model judges the pairs of a dataset; what it says is kept beside what people say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from studio.annotation import AnnotationStore, PairCard
from studio.annotation.quality.judges import UNREADABLE, Judged, JudgeFigures
from studio.core.errors import BusyError, InputError
from studio.core.paths import Workspace, can_be_path
from studio.data.schema import Row
from studio.evaluation.evaluated_models import ENDPOINT, EvaluatedModel
from studio.evaluation.evaluation import RowAnswer
from studio.evaluation.evaluation_request import Wanted, base_settings, find_models
from studio.evaluation.judge import (
    MOST_TOKENS,
    combine,
    judge_name,
    judge_rows,
    question_version,
)
from studio.launch.opened_store import opened_store
from studio.runs.store import RunStore

PAIRS_AT_ONCE = 4
FIELD = "judge"
Progress = Callable[[int, int], None]


class Session(Protocol):
    """What asks a model; `ModelSession` and `EndpointSession` are such."""

    def answers(
        self,
        models: Sequence[EvaluatedModel],
        rows: Mapping[int, Row],
        progress: Callable[[int], None],
    ) -> dict[str, dict[int, RowAnswer]]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class JudgeReport:
    """What one go at judging did.

    Attributes:
        judged: Pairs judged now; `known` ones had been before.
        failed: Pairs that got no verdict, by the reason; they are asked again the next time.
        stopped: It was asked to stop; the rest waits.
        figures: How good the judge is, over all that it has judged.
    """

    judge: str
    judged: int
    known: int
    failed: Mapping[str, int]
    stopped: bool
    figures: JudgeFigures


def find_judge(
    workspace: Workspace, *, endpoint: str = "", model: str = "", key_from: str = ""
) -> EvaluatedModel:
    """Return the judge: a model behind an endpoint, or `MODEL[@RUN[@STEP]]` of this machine.

    Args:
        endpoint: Address; `model` is the name there.

    Raises:
        InputError: It cannot be; nothing was asked.
    """
    if not model:
        raise InputError(
            "Which model judges?",
            remedy="Give --endpoint URL --model NAME, or --model MODEL[@RUN].",
            field=FIELD,
        )
    if endpoint:
        wanted = Wanted(f"{ENDPOINT}{endpoint}#{model}", key_from=key_from)
    elif can_be_path(model) and Path(model).is_dir():
        wanted = Wanted(model)
    else:
        base, _, run = model.partition("@")
        wanted = Wanted(base, (run,) if run else ())
    (found,) = find_models(RunStore(workspace), wanted)
    return found


def run_judge(
    workspace: Workspace,
    dataset: str,
    judge: EvaluatedModel,
    *,
    limit: int | None = None,
    progress: Progress = lambda done, total: None,
    stopped: Callable[[], bool] = lambda: False,
    session: Session | None = None,
    store: AnnotationStore | None = None,
) -> JudgeReport:
    """Let a model judge the pairs of a dataset that it has not judged; goes on where it stopped.

    Args:
        limit: Most pairs now.
        stopped: Asked after every few pairs.
        session: What asks the model; None: it is opened.
        store: The store that this process has open; None: one is opened.

    Raises:
        NotFoundError: There is no such dataset.
        BusyError: The same judge is at it in another process.
        EndpointError: The endpoint fails; what was judged is kept.
    """
    name = judge_name(judge)
    with opened_store(workspace, store) as library, _alone(workspace, dataset, name):
        guidelines = library.team.guidelines(dataset)
        prompt = question_version(guidelines.version)
        waiting = library.judges.waiting(dataset, name, prompt)
        known = library.judges.figures(dataset, name).pairs
        waiting = waiting[:limit]
        task = _Task(library, judge, name, prompt, guidelines.text)
        if waiting:
            opened = session or _session(workspace, judge)
            try:
                task.judge(opened, waiting, progress, stopped)
            finally:
                opened.close()
        figures = library.judges.figures(dataset, name)
        return JudgeReport(name, task.judged, known, task.failed, task.halted, figures)


class _Task:
    """One go at the pairs of one dataset."""

    def __init__(
        self, library: AnnotationStore, judge: EvaluatedModel, name: str, prompt: str, rules: str
    ) -> None:
        self._library, self._judge, self._name = library, judge, name
        self._prompt, self._rules = prompt, rules
        self.judged = 0
        self.failed: dict[str, int] = {}
        self.halted = False

    def judge(
        self,
        session: Session,
        pairs: Sequence[int],
        progress: Progress,
        stopped: Callable[[], bool],
    ) -> None:
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            if stopped():
                self.halted = True
                return
            chunk = pairs[start : start + PAIRS_AT_ONCE]
            cards = self._library.judges.cards(chunk, self._name)
            self._chunk(session, cards)
            progress(start + len(chunk), len(pairs))

    def _chunk(self, session: Session, cards: Sequence[PairCard]) -> None:
        rows: dict[int, Row] = {}
        for place, card in enumerate(cards):
            texts = (card.left.text, card.right.text)
            asked = judge_rows(card.pair_id, card.images, card.prompt, texts, self._rules)
            rows |= dict(enumerate(asked, start=2 * place))
        replies = session.answers([self._judge], rows, lambda done: None)[self._judge.name]
        found = []
        for place, card in enumerate(cards):
            both = replies[2 * place], replies[2 * place + 1]
            reason = both[0].reason or both[1].reason
            if reason:
                self.failed[reason] = self.failed.get(reason, 0) + 1
            else:
                found.append(self._judged(card, both[0].text, both[1].text))
        self._library.judges.keep(self._name, found)
        self.judged += len(found)

    def _judged(self, card: PairCard, first: str, swapped: str) -> Judged:
        verdict = combine(first, swapped)
        kind, winner = "tie" if verdict.readable else UNREADABLE, None
        if verdict.winner is not None:
            kind = "choose"
            winner = (card.left, card.right)[verdict.winner].candidate_id
        return Judged(
            card.pair_id,
            kind,
            winner,
            verdict.changed_mind,
            (first, swapped),
            self._judge.adapter or self._judge.model,
            self._prompt,
        )


def pairs_waiting(
    workspace: Workspace,
    dataset: str,
    judge: EvaluatedModel,
    *,
    store: AnnotationStore | None = None,
) -> int:
    """Count the pairs that a judge has yet to judge. Raises NotFoundError."""
    with opened_store(workspace, store) as library:
        prompt = question_version(library.team.guidelines(dataset).version)
        return len(library.judges.waiting(dataset, judge_name(judge), prompt))


def judges_of(
    workspace: Workspace, dataset: str, *, store: AnnotationStore | None = None
) -> list[JudgeFigures]:
    """Measure every judge of a dataset. Raises NotFoundError."""
    with opened_store(workspace, store) as library:
        return [library.judges.figures(dataset, name) for name in library.judges.names(dataset)]


def count_judge(
    workspace: Workspace,
    dataset: str,
    judge: str,
    *,
    who: str,
    counted: bool = True,
    store: AnnotationStore | None = None,
) -> int:
    """Let a judge's judgements count as labels, or no longer; how many that changed.

    Raises:
        NotFoundError: There is no such dataset.
        InputError: It has judged nothing there.
    """
    with opened_store(workspace, store) as library:
        change = library.judges.count if counted else library.judges.uncount
        return change(who, dataset, judge)


def _session(workspace: Workspace, judge: EvaluatedModel) -> Session:
    if judge.endpoint is not None:
        from studio.evaluation.endpoint_session import EndpointSession

        judge.endpoint.key()
        return EndpointSession(judge.endpoint, workspace, max_new_tokens=MOST_TOKENS)
    from studio.evaluation.model_session import ModelSession, check_model
    from studio.models.memory_check import refuse_if_too_large

    runs = RunStore(workspace)
    base = base_settings(runs, Wanted(judge.model), [judge])
    check_model(judge, base)
    refuse_if_too_large(base, runs)
    return ModelSession(base, workspace, batch_size=2 * PAIRS_AT_ONCE, max_new_tokens=MOST_TOKENS)


@contextmanager
def _alone(workspace: Workspace, dataset: str, judge: str) -> Iterator[None]:
    """Keep a second process from asking the same model the same."""
    digest = hashlib.sha256(f"{dataset}\n{judge}".encode()).hexdigest()[:32]
    folder = workspace.cache / "judges"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / f"{digest}.lock", timeout=0):
            yield
    except Timeout as error:
        raise BusyError(
            f"{judge} is judging {dataset!r} already, in another process.",
            remedy="Wait for its end, or stop it there.",
        ) from error
