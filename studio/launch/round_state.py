"""How a round stands, read from what its steps have left: nothing of it is written down twice.

So a step that somebody takes by hand in its own tab counts as one that the round has started.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any, Literal

from studio.annotation import AnnotationStore
from studio.annotation.labeling.rule_annotator import RULE
from studio.annotation.records import DatasetView
from studio.core.errors import NotFoundError, StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.data.manifest import FrozenExport, list_exports
from studio.evaluation.evaluated_models import BASE
from studio.evaluation.evaluation import Evaluation, RowAnswer
from studio.evaluation.evaluation_request import metrics_of
from studio.evaluation.evaluation_store import EvaluationStore, read_answers, read_drawn
from studio.evaluation.match import Match, MatchStore
from studio.evaluation.match_standing import Standing
from studio.evaluation.report import shown
from studio.launch.matches import match_standing
from studio.launch.queue_order import order_status
from studio.launch.round_store import Round
from studio.metrics.same_words import alike
from studio.runs.decisions import Decision, latest
from studio.runs.store import Run, RunStore

StepName = Literal["candidates", "labels", "export", "training", "evaluation", "match", "decision"]
StepState = Literal["open", "queued", "running", "stopped", "failed", "waits for people", "done"]
STEPS: dict[StepName, str] = {
    "candidates": "Answers of the model",
    "labels": "Labels",
    "export": "Export",
    "training": "Training",
    "evaluation": "Evaluation",
    "match": "Blind match",
    "decision": "Decision",
}
AS_STEP: dict[str, StepState] = {
    "queued": "queued",
    "starting": "running",
    "running": "running",
    "stopping": "running",
    "stopped": "stopped",
    "failed": "failed",
    "finished": "done",
}
"""What the state of an evaluation or a run is as that of a step."""
STARTUP = 60.0
"""Seconds in which a run that was started must have a process."""
THIS, BEFORE = "this round's model", "the model before"
WORSE = 0.5
"""A win rate that is surely below says that the model got worse."""


@dataclass(frozen=True)
class Step:
    """One step of a round.

    Attributes:
        sentence: How far it is, in words.
        ref: Id of what it made, or the dataset whose pairs wait.
    """

    name: StepName
    state: StepState
    sentence: str = ""
    ref: str = ""


@dataclass(frozen=True)
class Cost:
    """What a round cost so far.

    Attributes:
        labels: That people gave, on pairs and in the match; `by_rule` more that a rule gave.
        minutes: Of people, where the page has measured them.
        seconds: Of computing: answers, training, evaluations.
        tokens: Written to be judged.
    """

    labels: int = 0
    by_rule: int = 0
    minutes: float = 0.0
    seconds: float = 0.0
    tokens: int = 0

    @property
    def sentence(self) -> str:
        """It in words."""
        parts = [counted(self.labels, "label")]
        if self.by_rule:
            parts.append(f"{counted(self.by_rule, 'label')} by a rule")
        if self.minutes:
            parts.append(f"{self.minutes:.1f} min of people")
        parts.append(f"{self.seconds:,.0f} s of computing")
        parts.append(f"{self.tokens:,} tokens written")
        return ", ".join(parts)


@dataclass(frozen=True)
class Gain:
    """One metric of the goal: of the base, of the model that the round began with, and after."""

    metric: str
    label: str
    base: float | None
    last: float | None
    after: float | None
    sentence: str = ""


@dataclass(frozen=True)
class Guard:
    """One thing that may get worse while the goal gets better; `holds` is None where not known."""

    name: str
    holds: bool | None
    sentence: str
    value: float | None = None


@dataclass(frozen=True)
class RoundView:
    """A round as it stands, with what its steps have made."""

    round: Round
    steps: tuple[Step, ...]
    cost: Cost = field(default_factory=Cost)
    gains: tuple[Gain, ...] = ()
    guards: tuple[Guard, ...] = ()
    candidates: Evaluation | None = None
    export: FrozenExport | None = None
    run: Run | None = None
    goal: Evaluation | None = None
    known: Evaluation | None = None
    match: Match | None = None
    standing: Standing | None = None
    decision: Decision | None = None

    @property
    def next(self) -> Step | None:
        """The first step that is not done; None at the end."""
        return next((step for step in self.steps if step.state != "done"), None)

    @property
    def run_id(self) -> str:
        """Id of the run that it trained; empty before there is one."""
        return self.run.run_id if self.run else ""

    @property
    def warnings(self) -> list[str]:
        """Sentences of the guards that do not hold."""
        return [one.sentence for one in self.guards if one.holds is False]

    def step(self, name: StepName) -> Step:
        """Return a step by its name."""
        return next(one for one in self.steps if one.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return the contract of `round show --json`."""
        return {
            **self.round.to_json(),
            "dataset": self.round.dataset,
            "steps": [asdict(step) for step in self.steps],
            "next": self.next.name if self.next else None,
            "cost": asdict(self.cost),
            "gain": [asdict(one) for one in self.gains],
            "guards": [asdict(one) for one in self.guards],
            "run": self.run.run_id if self.run else None,
            "decision": self.decision.verdict if self.decision else None,
        }


def look_at_round(
    workspace: Workspace, one: Round, store: AnnotationStore | None = None
) -> RoundView:
    """Read how a round stands.

    Args:
        store: The store that this process has open; None: one is opened.
    """
    if store is None:
        opened = AnnotationStore(workspace.database_url)
        try:
            return look_at_round(workspace, one, opened)
        finally:
            opened.close()
    written = EvaluationStore(workspace).list(drawn=True)
    candidates = next((made for made in written if made.request.dataset == one.dataset), None)
    dataset = next((made for made in store.datasets() if made.name == one.dataset), None)
    exports = [made for made in list_exports(workspace) if _is_of(made, one)]
    run = _run_of(workspace, exports)
    goal, known = _evaluations(workspace, one, run)
    match = MatchStore(workspace).of_evaluation(goal.evaluation_id) if goal else None
    standing = _standing(workspace, match, store)
    decision = latest(workspace, run.run_id) if run else None
    export = exports[0] if exports else None
    if run is not None:
        used = run.config.data.source
        export = next((made for made in exports if made.spec == used), export)
    steps = (
        _candidates(candidates),
        _labels(workspace, one, candidates, dataset, export is not None),
        _export(export),
        _training(run),
        _evaluation(one, goal, known),
        _match(match, standing, one, run),
        _decision(decision),
    )
    return RoundView(
        round=one,
        steps=steps,
        cost=_cost(workspace, one, store, dataset, match, candidates, run, goal, known),
        gains=_gains(one, goal, run),
        guards=_guards(workspace, one, run, known, match, standing),
        candidates=candidates,
        export=export,
        run=run,
        goal=goal,
        known=known,
        match=match,
        standing=standing,
        decision=decision,
    )


def is_dead(run: Run) -> bool:
    """Return whether a run says that it goes on, and its process on this machine is gone."""
    status = run.status
    if not status.active or status.elsewhere or run.alive:
        return False
    # Without a process id it may be about to start.
    return bool(status.pid) or time.time() - status.updated > STARTUP


def _is_of(made: FrozenExport, one: Round) -> bool:
    """Whether an export holds the labels of a round, made by it or by hand."""
    return one.dataset == made.manifest.get("dataset")


def _run_of(workspace: Workspace, exports: Sequence[FrozenExport]) -> Run | None:
    """The newest run on the labels of a round; one that has weights before those that failed."""
    specs = {made.spec for made in exports}
    if not specs:
        return None
    found = []
    for run in RunStore(workspace).list():
        try:
            if run.config.data.source in specs:
                found.append(run)
        except StudioError as error:  # its run file is damaged
            log_told(error)
    good = [run for run in found if run.status.state not in ("failed", "stopped")]
    return next(iter(good or found), None)


def _evaluations(
    workspace: Workspace, one: Round, run: Run | None
) -> tuple[Evaluation | None, Evaluation | None]:
    """The newest evaluations of a run against the base, on the rows of the goal and those to keep."""
    if run is None:
        return None, None
    found = [
        made
        for made in EvaluationStore(workspace).list(drawn=False)
        if made.request.baseline == BASE
        and run.run_id in {model.run for model in made.request.models}
    ]
    rows = one.settings.goal, one.settings.known
    goal, known = (
        next((made for made in found if made.request.data == spec), None) for spec in rows
    )
    return goal, known


def _standing(workspace: Workspace, match: Match | None, store: AnnotationStore) -> Standing | None:
    if match is None or match.state == "being made":
        return None
    try:
        return match_standing(workspace, match.match_id, store=store)
    except NotFoundError as error:  # somebody has deleted its dataset
        log_told(error)
        return None


def _candidates(made: Evaluation | None) -> Step:
    if made is None:
        return Step("candidates", "open", "Nothing is written yet.")
    status = made.status
    said = f"{status.done:,} of {counted(status.total, 'row')} answered"
    if status.message:
        said += f". {status.message} {status.remedy}".rstrip()
    return Step("candidates", AS_STEP[status.state], said, made.evaluation_id)


def _labels(
    workspace: Workspace,
    one: Round,
    candidates: Evaluation | None,
    dataset: DatasetView | None,
    exported: bool,
) -> Step:
    wanted = one.settings.labels
    if dataset is None or not dataset.pairs:
        if candidates is not None and candidates.status.state == "finished":
            remedy = "No row has two different answers: raise the temperature in a new round."
            return Step("labels", "stopped", remedy, one.dataset)
        return Step("labels", "open", "No pair is there yet.")
    written = candidates is None or candidates.status.state == "finished"
    enough = wanted is not None and dataset.labelled >= wanted
    all_there = wanted is None and not dataset.waiting
    said = f"{dataset.labelled:,} of {counted(dataset.pairs, 'pair')} labelled"
    if (written and (enough or all_there)) or exported:
        return Step("labels", "done", said, one.dataset)
    if wanted is not None:
        said += f"; the round goes on with {wanted:,}"
    if order_status(workspace, one.dataset).state == "finished":
        said += "; pairs that teach most come first, a share by lot between them"
    return Step("labels", "waits for people", said, one.dataset)


def _export(export: FrozenExport | None) -> Step:
    if export is None:
        return Step("export", "open")
    said = counted(sum(export.rows.values()), "row")
    if earlier := export.manifest.get("earlier"):
        said += f", {earlier:,} of them from earlier rounds"
    return Step("export", "done", said, export.spec)


def _training(run: Run | None) -> Step:
    if run is None:
        return Step("training", "open")
    status = run.status
    if is_dead(run):
        return Step(
            "training", "stopped", f"Its process ended at step {status.step:,}.", run.run_id
        )
    said = f"{run.config.method.upper()}, step {status.step:,} of {status.total_steps:,}"
    if status.message:
        said += f". {status.message} {status.remedy}".rstrip()
    return Step("training", AS_STEP[status.state], said, run.run_id)


def _evaluation(one: Round, goal: Evaluation | None, known: Evaluation | None) -> Step:
    wanted = [goal, *([known] if one.settings.known else [])]
    states = [made.status.state if made else "open" for made in wanted]
    ref = goal.evaluation_id if goal else ""
    if all(state == "finished" for state in states):
        return Step("evaluation", "done", " ".join(_told(goal)), ref)
    order: tuple[StepState, ...] = ("failed", "stopped", "running", "queued", "open")
    state = next(name for name in order if name in states)
    there = [made for made in wanted if made]
    done, total = (sum(getattr(made.status, name) for made in there) for name in ("done", "total"))
    said = f"{done:,} of {total:,} answers and scores" if there else ""
    troubles = [f"{made.status.message} {made.status.remedy}" for made in there]
    return Step("evaluation", state, " ".join([said, *troubles]).strip(), ref)


def _told(goal: Evaluation | None) -> list[str]:
    if goal is None or goal.subject not in goal.results:
        return []
    return list(goal.results[goal.subject].sentences[:1])


def _said_of(standing: Standing, one: Round, run: Run | None) -> str:
    """What a match says of this round's model, whose id, and that of the one before, say little."""
    names = {run.run_id if run else "": THIS, one.start: BEFORE}
    about = [
        pair.sentence
        for pair in standing.pairs
        if run is None or run.run_id in (pair.rate.first, pair.rate.second)
    ]
    told = []
    for said in about or standing.sentences:
        for name, words in names.items():
            said = said.replace(name, words) if name else said
        told.append(said[:1].upper() + said[1:])
    return " ".join(told)


def _match(match: Match | None, standing: Standing | None, one: Round, run: Run | None) -> Step:
    if match is None or match.state == "being made":
        return Step("match", "open")
    if standing is None:
        return Step("match", "stopped", "The pairs of the match are gone.", match.match_id)
    said = _said_of(standing, one, run)
    if standing.stop or not standing.waiting or match.state == "closed":
        return Step("match", "done", said, match.match_id)
    said = f"{standing.judged:,} of {counted(len(match.pairs), 'pair')} judged. {said}"
    return Step("match", "waits for people", said, match.match_id)


def _decision(decision: Decision | None) -> Step:
    if decision is None:
        return Step("decision", "open")
    by = f" by {decision.who}" if decision.who else ""
    return Step("decision", "done", f"{decision.verdict}{by}: {decision.reason}", decision.run)


def _cost(
    workspace: Workspace,
    one: Round,
    store: AnnotationStore,
    dataset: DatasetView | None,
    match: Match | None,
    candidates: Evaluation | None,
    run: Run | None,
    goal: Evaluation | None,
    known: Evaluation | None,
) -> Cost:
    records = store.answers(one.dataset) if dataset else []
    try:
        records += store.answers(match.dataset) if match and match.pairs else []
    except NotFoundError as error:  # somebody has deleted the dataset of the match
        log_told(error)
    of_people = [record for record in records if record["annotator"] != RULE]
    tokens = 0
    if candidates is not None:
        drawn = read_drawn(EvaluationStore(workspace).paths(candidates))
        tokens = sum(answer.tokens for row in drawn.values() for answer in row.answers)
    seconds = sum(made.status.seconds for made in (candidates, goal, known) if made)
    return Cost(
        labels=len(of_people),
        by_rule=len(records) - len(of_people),
        minutes=sum(record["seconds"] or 0.0 for record in of_people) / 60,
        seconds=seconds + (run.status.training_seconds if run else 0.0),
        tokens=tokens,
    )


def _gains(one: Round, goal: Evaluation | None, run: Run | None) -> tuple[Gain, ...]:
    if goal is None or run is None or not goal.results:
        return ()
    found = []
    for metric in metrics_of(goal.request):
        base, last, after = (
            goal.results[name].metrics[metric.name].value
            if name in goal.results and metric.name in goal.results[name].metrics
            else None
            for name in (BASE, one.start or BASE, run.run_id)
        )
        words = [shown(metric, value) for value in (last, after) if value is not None]
        found.append(
            Gain(
                metric.name, metric.label, base, last, after, f"{metric.label} {' → '.join(words)}"
            )
        )
    return tuple(found)


def _guards(
    workspace: Workspace,
    one: Round,
    run: Run | None,
    known: Evaluation | None,
    match: Match | None,
    standing: Standing | None,
) -> tuple[Guard, ...]:
    """What may have got worse; with the sentence that says so, or that it has not."""
    if run is None:
        return ()
    found: list[Guard] = []
    if known is not None and known.results:
        found += _kept_skills(workspace, one, known, run)
    elif not one.settings.known:
        found.append(Guard("forgetting", None, "No rows to keep were named: not measured."))
    for name, title in ((BASE, "the base"), *([(one.start, BEFORE)] if one.start else [])):
        found += _won(standing, name, title, run)
    return tuple(found)


def _kept_skills(workspace: Workspace, one: Round, known: Evaluation, run: Run) -> list[Guard]:
    settings, found = one.settings, []
    metric = metrics_of(known.request)[0]
    before, after = (known.results[name].metrics[metric.name].value for name in (BASE, run.run_id))
    if before is not None and after is not None:
        said = (
            f"{metric.label} on the rows to keep {shown(metric, before)} → {shown(metric, after)}"
        )
        fell = before - after if metric.higher_is_better else after - before
        holds = fell <= settings.forget + 1e-9
        found.append(Guard("forgetting", holds, said, after - before))
    answers, _ = read_answers(EvaluationStore(workspace).paths(known))
    pairs: list[tuple[RowAnswer, RowAnswer]] = [
        (answers[BASE, number], answers[run.run_id, number])
        for number in range(known.request.rows)
        if (BASE, number) in answers and (run.run_id, number) in answers
    ]
    if pairs:
        was, now = (fmean(max(1, pair[side].tokens) for pair in pairs) for side in (0, 1))
        ratio = now / was
        said = f"Answers to the rows to keep are {ratio:.2f} times as long as the base's"
        found.append(Guard("length", ratio <= settings.longer, said, ratio))
        moved = sum(not alike(old.text, new.text) for old, new in pairs) / len(pairs)
        said = f"{100 * moved:.1f} % of the rows to keep are answered otherwise than by the base"
        found.append(Guard("drift", moved <= settings.drift, said, moved))
    return found


def _won(standing: Standing | None, name: str, title: str, run: Run) -> list[Guard]:
    """The win rate against one of those it must not lose to."""
    said = f"win rate against {title}"
    rates = standing.pairs if standing is not None else ()
    for pair in rates:
        if {pair.rate.first, pair.rate.second} != {name, run.run_id}:
            continue
        value, low, high = pair.value, pair.low, pair.high
        if pair.rate.second != run.run_id:
            value, low, high = (None if value is None else 1 - value), 1 - high, 1 - low
        if value is None:
            return [Guard(said, None, f"The {said} is not judged yet.")]
        words = f"The {said} is {100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
        return [Guard(said, high >= WORSE, words, value)]
    return [Guard(said, None, f"The {said} is not known: there is no match with both.")]
