"""What is known of a run when somebody decides about it: scores, forgetting, win rate, cost."""

from __future__ import annotations

from dataclasses import dataclass

from studio.annotation import AnnotationStore
from studio.core.errors import StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_store import EvaluationStore
from studio.evaluation.match import Match, MatchStore
from studio.evaluation.report import shown
from studio.launch.matches import match_standing
from studio.metrics import METRICS
from studio.runs import checkpoints, held_out_result
from studio.runs.curves import Diary
from studio.runs.decisions import Decision, Verdict, accepted_run, decide, latest
from studio.runs.diagnostics.rules import forgetting
from studio.runs.held_out_result import HeldOutResult
from studio.runs.store import Run, RunStore

MINUTE, HOUR = 60, 3600
MOST_EVALUATIONS, MOST_METRICS = 3, 2
CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class DecisionCard:
    """One run before a decision.

    Attributes:
        figures: What is known, by what it is about: `("Scores", "exact match 0 % → 99 %")`.
        missing: What is not known, and where it is measured; a decision can be made without.
        decision: The last one about this run.
        current: The run that the next round starts from, if one was accepted.
        evaluation, match: Ids of what the figures rest on.
    """

    figures: tuple[tuple[str, str], ...]
    missing: tuple[str, ...] = ()
    decision: Decision | None = None
    current: Decision | None = None
    evaluation: str = ""
    match: str = ""


def decision_card(
    workspace: Workspace, run: Run, store: AnnotationStore | None = None
) -> DecisionCard:
    """Collect what is known of a run.

    Args:
        store: The store that this process has open; None: one is opened where there is a match.
    """
    figures: list[tuple[str, str]] = []
    missing: list[str] = []
    measured = held_out_result.read(run.paths)
    at_end = measured is not None and measured.state == "measured"
    if measured is not None and at_end:
        figures.append(("Scores", measured.sentence))
    evaluations = _evaluations(workspace, run, measured.evaluation if measured else "")
    figures += [("Evaluated", _scores(one, run)) for one in evaluations]
    if not (at_end or evaluations):
        missing.append("no scores (Evaluate measures them)")
    figures += _forgotten(run)
    match = next(iter(MatchStore(workspace).of_run(run.run_id)), None)
    if match is None:
        missing.append("no blind match: nobody has judged its answers")
    else:
        figures += _judged(workspace, match, store)
    figures += _cost(run)
    return DecisionCard(
        tuple(figures),
        tuple(missing),
        latest(workspace, run.run_id),
        _current(workspace, run),
        _newest(measured, evaluations),
        match.match_id if match is not None else "",
    )


def _evaluations(workspace: Workspace, run: Run, at_end: str) -> list[Evaluation]:
    """The newest finished evaluations of a run's weights as they are, beside the one at its end."""
    step = checkpoints.adapter_step(run.paths)
    found = []
    for one in EvaluationStore(workspace).list(drawn=False):
        subject = next((m for m in one.request.models if m.run == run.run_id), None)
        if subject is None or subject.step != step or one.evaluation_id == at_end:
            continue
        if subject.name in one.results:
            found.append(one)
    return found[:MOST_EVALUATIONS]


def _scores(evaluation: Evaluation, run: Run) -> str:
    """What an evaluation came to; where something differs, that first."""
    subject = next(m.name for m in evaluation.request.models if m.run == run.run_id)
    result = evaluation.results[subject]
    said = sorted(result.sentences, key=lambda sentence: CANNOT_TELL in sentence)
    if not result.paired:
        said = [
            f"{METRICS[name].label} {shown(METRICS[name], one.value)}."
            for name, one in result.metrics.items()
            if name in METRICS and one.value is not None
        ]
    on = f"{evaluation.request.source}, {counted(evaluation.request.rows, 'row')}"
    return f"{on}: {' '.join(said[:MOST_METRICS]) or 'nothing could be scored.'}"


def _newest(measured: HeldOutResult | None, evaluations: list[Evaluation]) -> str:
    """The evaluation that the figures rest on."""
    if evaluations:
        return evaluations[0].evaluation_id
    return measured.evaluation if measured is not None else ""


def _judged(
    workspace: Workspace, match: Match, store: AnnotationStore | None
) -> list[tuple[str, str]]:
    """What people said in the newest match of a run."""
    try:
        standing = match_standing(workspace, match.match_id, store=store)
    except StudioError as error:
        return [("Blind match", error.message)]
    return [("Blind match", sentence) for sentence in standing.sentences]


def decide_about(
    workspace: Workspace,
    run_id: str,
    verdict: Verdict,
    reason: str,
    who: str = "",
    *,
    store: AnnotationStore | None = None,
) -> Decision:
    """Write down a decision with what is known of the run now.

    Raises:
        NotFoundError: There is no such run.
        InputError, ConflictError, RunFailedError: As `studio.runs.decisions.decide`.
    """
    run = RunStore(workspace).get(run_id)
    card = decision_card(workspace, run, store)
    return decide(
        workspace,
        run,
        verdict,
        reason,
        who=who,
        figures=[f"{name}: {text}" for name, text in card.figures],
        evaluation=card.evaluation,
        match=card.match,
    )


def _current(workspace: Workspace, run: Run) -> Decision | None:
    try:
        return accepted_run(workspace, run.config.model.id)
    except StudioError as error:  # a damaged run file names no base model
        log_told(error)
        return None


def _forgotten(run: Run) -> list[tuple[str, str]]:
    found = Diary(run.paths.events).refresh().forgetting
    if not {"before", "after"} <= set(found):
        return []
    if forgetting(found["before"], found["after"]) is None:
        return [("Forgetting", "nothing measurable on unrelated rows")]
    change = f"loss on unrelated rows {found['before']:.3g} → {found['after']:.3g} nats an answer"
    return [("Forgetting", change)]


def _cost(run: Run) -> list[tuple[str, str]]:
    seconds = run.status.training_seconds
    if not seconds:
        return []
    return [("Cost", f"{_time(seconds)} of training, {run.status.step:,} steps")]


def _time(seconds: float) -> str:
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h"
