"""A run measured at its end: its held-out rows, answered as it began and as it ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio.config import RunConfig
from studio.core.errors import StudioError
from studio.core.logs import log_told
from studio.core.paths import Workspace
from studio.core.plurals import counted
from studio.evaluation.evaluated_models import BASE
from studio.evaluation.evaluated_rows import RUN, chosen, held_out_rows, spread
from studio.evaluation.evaluation import Evaluation
from studio.evaluation.evaluation_request import Wanted, metrics_of, prepare_request
from studio.evaluation.evaluation_store import EvaluationStore
from studio.evaluation.report import shown
from studio.metrics import Metric
from studio.runs import held_out_result, queue
from studio.runs.curves import Diary
from studio.runs.diagnostics.rules import forgetting
from studio.runs.held_out_result import HeldOutResult
from studio.runs.store import Run, RunStore

MOST_SAID = 3


def evaluate_run(workspace: Workspace, run_id: str) -> HeldOutResult:
    """Measure a run that has finished and keep it with the run; why not, where that cannot be."""
    run = RunStore(workspace).get(run_id)
    held_out_result.claim(run.paths, held_out_result.read(run.paths) or HeldOutResult("wanted"))
    try:
        found = _measured(workspace, run)
    except StudioError as error:
        log_told(error)
        command = (
            f"python -m studio evaluate {run.config.model.id} --adapter {run_id} --against base"
        )
        found = HeldOutResult(
            "not measured",
            sentence=f"Not measured on held-out rows: {error} Try: {command} --data {RUN}{run_id}",
        )
    if run.paths.config.is_file():  # it may have been deleted meanwhile
        held_out_result.write(run.paths, found)
    return found


def _measured(workspace: Workspace, run: Run) -> HeldOutResult:
    from studio.evaluation.evaluation_worker import compute

    made = _unfinished(workspace, run) or create_for_run(workspace, run)
    done = compute(workspace, made.evaluation_id)
    told = done.to_json()
    subject = next(model for model in done.request.models if model.name == done.subject)
    return HeldOutResult(
        "measured",
        evaluation=done.evaluation_id,
        step=subject.step,
        against=done.request.baseline,
        sentence=sentence_of(done, run),
        rows=done.request.rows,
        metrics=told["metrics"],
        paired=told["paired"],
    )


def create_for_run(workspace: Workspace, run: Run) -> Evaluation:
    """Write down the evaluation of a run's held-out rows against where it started.

    Raises:
        InputError: It holds no rows out, they cannot be read, or its weights are not there.
    """
    config = run.config
    most = config.probes.held_out or 0
    rows = chosen(
        f"rows held out by {run.run_id}", spread(held_out_rows(run, workspace), most), None
    )
    wanted = Wanted(
        model=config.model.id,
        adapters=(run.run_id,),
        against=started_from(config, workspace),
        max_new_tokens=config.probes.max_new_tokens,
        quantization=config.model.quantization,
        data=f"{RUN}{run.run_id}",
        run=run.run_id,
    )
    return EvaluationStore(workspace).create(*prepare_request(wanted, rows, workspace), here=True)


def started_from(config: RunConfig, workspace: Workspace) -> str:
    """Return what a run began as: the run or folder it goes on from, else the base."""
    before = config.adapter.continue_from if config.adapter else None
    if before and (workspace.run(before).config.is_file() or Path(before).is_dir()):
        return before
    return BASE


def _unfinished(workspace: Workspace, run: Run) -> Evaluation | None:
    """The evaluation of the same weights that an earlier attempt has left, to go on with."""
    for one in EvaluationStore(workspace).list():
        if one.request.run == run.run_id and one.status.state == "stopped":
            subject = next((m for m in one.request.models if m.run == run.run_id), None)
            try:
                if subject is not None:
                    subject.ensure_unchanged()
                    return one
            except StudioError:  # other weights by now
                continue
    return None


def sentence_of(evaluation: Evaluation, run: Run) -> str:
    """Say in one sentence what a run changed, of what was measured."""
    before = evaluation.results[evaluation.request.baseline]
    after = evaluation.results[evaluation.subject]
    parts: list[str] = []
    for metric in metrics_of(evaluation.request):
        pair = after.paired[metric.name]
        values = before.metrics[metric.name].value, after.metrics[metric.name].value
        if values[0] is None or values[1] is None:
            continue
        if not parts:
            on = f" on {counted(evaluation.request.rows, 'held-out row')}"
            unsure = (
                ", too few to tell" if pair.verdict == "cannot tell" and pair.difference else ""
            )
            parts.append(f"{_change(metric, values[0], values[1])}{on}{unsure}")
        elif pair.verdict != "cannot tell" and len(parts) < MOST_SAID:
            parts.append(_change(metric, values[0], values[1]))
    if not parts:
        return "No held-out row could be scored."
    if parts[0].split(" ")[0].islower():
        parts[0] = parts[0][:1].upper() + parts[0][1:]
    remembered = _forgotten(run)
    return "; ".join([*parts, *([remembered] if remembered else [])])


def _change(metric: Metric, before: float, after: float) -> str:
    # Names such as chrF and ANLS stay as they are written.
    label = metric.label.lower() if metric.label[1:].islower() else metric.label
    return f"{label} {shown(metric, before)} → {shown(metric, after)}"


def _forgotten(run: Run) -> str:
    """What the probes say of unrelated rows; empty where they were not asked."""
    found = Diary(run.paths.events).refresh().forgetting
    if not {"before", "after"} <= set(found):
        return ""
    if forgetting(found["before"], found["after"]) is None:
        return "forgot nothing measurable"
    return (
        f"unrelated rows are forgotten: loss {found['before']:.3g} → {found['after']:.3g} nats "
        "an answer"
    )


def begin_attempt(run: Run) -> bool:
    """Claim the measuring of a run for this process, if it is wanted and nobody is at it.

    After too many attempts that failed it is said that there is no result.
    """
    with queue.locked(Workspace(run.paths.root.parent.parent)):
        found = held_out_result.read(run.paths)
        if found is None or found.state != "wanted":
            return False
        if found.attempts >= held_out_result.MOST_ATTEMPTS:
            sentence = (
                "Not measured on held-out rows: its process ended unexpectedly "
                f"{found.attempts} times. Try: {_command(run)}"
            )
            held_out_result.write(run.paths, HeldOutResult("not measured", sentence=sentence))
            return False
        held_out_result.claim(run.paths, replace(found, attempts=found.attempts + 1))
    return True


def _command(run: Run) -> str:
    return (
        f"python -m studio evaluate {run.config.model.id} --adapter {run.run_id} --against base "
        f"--data {RUN}{run.run_id}"
    )
