"""Where a run comes from and what came of it: data → export → run → evaluation → match → decision → next.

Read from what lies in the workspace; what was deleted is named as gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.config import RunConfig
from studio.core.paths import Workspace, can_be_path, read_state
from studio.core.plurals import counted
from studio.data.manifest import LIBRARY_SPEC, MANIFEST
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_store import EvaluationStore
from studio.evaluation.match import Match, MatchStore
from studio.runs import held_out_result
from studio.runs.decisions import Decision, decisions
from studio.runs.store import Run, RunStore

Kind = Literal["model", "data", "export", "run", "evaluation", "match", "decision", "next"]
EXPORTS = "exports/"
MOST_GENERATIONS = 50


@dataclass(frozen=True)
class LineageStep:
    """One step of how a model came to be.

    Attributes:
        name: What people call it; `detail` says what came of it, in words.
        ref: Its id, to open it by; empty where there is nothing to open.
        at: Seconds since the epoch; None where it is not known.
        gone: Whether it was deleted since.
    """

    kind: Kind
    name: str
    detail: str = ""
    ref: str = ""
    at: float | None = None
    gone: bool = False


def lineage(workspace: Workspace, run_id: str) -> list[LineageStep]:
    """Return the steps that led to a run, oldest first, and what follows it.

    Raises:
        NotFoundError: There is no such run.
    """
    runs = {run.run_id: run for run in RunStore(workspace).list()}
    chosen = RunStore(workspace).get(run_id)
    found = decisions(workspace)
    evaluations, matches = EvaluationStore(workspace).list(drawn=False), MatchStore(workspace)
    steps: list[LineageStep] = []
    for one in _generations(chosen, runs):
        if isinstance(one, LineageStep):
            steps.append(one)
            continue
        steps += _data(workspace, one)
        steps.append(_run(one))
        steps += _measured(one, evaluations)
        steps += [_match(match) for match in matches.of_run(one.run_id)[::-1]]
        steps += [_decision(decision) for decision in found if decision.run == one.run_id]
    steps += [
        LineageStep("next", _config(run).name, run.status.state, run.run_id, run.status.queued)
        for run in reversed(runs.values())
        if _before(run) == run_id
    ]
    return steps


def _generations(chosen: Run, runs: dict[str, Run]) -> Iterator[Run | LineageStep]:
    """The run and those it goes on from, the first one first; before it, what it began as."""
    line = [chosen]
    seen = {chosen.run_id}
    while (before := _before(line[-1])) in runs and before not in seen:
        if len(line) == MOST_GENERATIONS:
            break
        line.append(runs[before])
        seen.add(before)
    first = line[-1]
    yield LineageStep("model", _config(first).model.id, "base model")
    if before and before not in seen:
        folder = can_be_path(before) and Path(before).is_dir()
        yield LineageStep("run", before, "an adapter folder" if folder else "", gone=not folder)
    yield from reversed(line)


def _before(run: Run) -> str:
    """What a run goes on from: a run's id or a folder; empty for a new adapter."""
    adapter = _config(run).adapter
    return (adapter.continue_from or "") if adapter else ""


def _config(run: Run) -> RunConfig:
    """A run's settings; those of a new run under its id where its file cannot be read."""
    return run.known_config or RunConfig(name=run.run_id)


def _data(workspace: Workspace, run: Run) -> list[LineageStep]:
    source = _config(run).data.source
    if not source.startswith(EXPORTS):
        return [LineageStep("data", source, "as it was when the run read it")]
    folder = workspace.root / source
    manifest = read_state(folder / MANIFEST)
    from_ = manifest.get(LIBRARY_SPEC) or manifest.get("dataset")
    counts = manifest.get("rows")
    rows = sum(counts.values()) if isinstance(counts, dict) else counts
    said = counted(rows, "row") if isinstance(rows, int) else ""
    made_at = manifest.get("created_at", manifest.get("exported_at"))
    export = LineageStep(
        "export",
        source.removeprefix(EXPORTS),
        said,
        at=made_at if isinstance(made_at, int | float) else None,
        gone=not folder.is_dir(),
    )
    return [LineageStep("data", str(from_)), export] if from_ else [export]


def _run(run: Run) -> LineageStep:
    config, status = _config(run), run.status
    went = f"{config.method.upper()}, {status.state}"
    if status.step:
        went += f" at step {status.step:,}"
    return LineageStep("run", config.name, went, run.run_id, status.queued)


def _measured(run: Run, evaluations: list[Evaluation]) -> list[LineageStep]:
    """Evaluations of a run's weights, oldest first; the one at its end with its sentence."""
    own = held_out_result.read(run.paths)
    steps = []
    for one in reversed(evaluations):
        if run.run_id not in {model.run for model in one.request.models}:
            continue
        said: str = one.status.state
        if own is not None and own.evaluation == one.evaluation_id:
            said = own.sentence
        elif run_result := one.results.get(one.subject):
            said = " ".join(run_result.sentences[:1]) or said
        steps.append(
            LineageStep(
                "evaluation", one.request.source, said, one.evaluation_id, one.status.created
            )
        )
    return steps


def _match(match: Match) -> LineageStep:
    said = f"{' against '.join(match.contestants)}, {counted(len(match.pairs), 'pair')}"
    return LineageStep("match", match.dataset, said, match.match_id, match.created)


def _decision(decision: Decision) -> LineageStep:
    by = f" by {decision.who}" if decision.who else ""
    return LineageStep("decision", f"{decision.verdict}{by}", decision.reason, at=decision.at)
