"""Scoring models on rows from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.model_options import (
    AdaptersOption,
    BatchSizeOption,
    ColumnsOption,
    KeyOption,
    LimitOption,
    LongestAnswerOption,
    QuantizationOption,
    SameBaseOption,
    SplitOption,
)
from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say
from studio.core.errors import InputError, StoppedError
from studio.core.local_time import minute
from studio.core.paths import EMBEDDED, Workspace

if TYPE_CHECKING:
    from studio.evaluation.evaluation import Evaluation
    from studio.evaluation.evaluation_worker import Deliver

SHOWN_EMPTY = "–"


def evaluate(
    model: Annotated[
        str | None,
        typer.Argument(
            help='The base model: a hub id, a folder or "embedded"; or endpoint:URL#MODEL.'
        ),
    ] = None,
    adapter: AdaptersOption = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="base|RUN|endpoint:URL#MODEL", help="Compare with this one on the same rows."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Hub id, file, folder, exports/<name>, embedded:<sample>, library:<dataset>, "
            "run:RUN for the rows that a run holds out, or benchmark:<name> (chartqa, textvqa, docvqa, "
            "infovqa, pope, mmmu, ai2d, scienceqa, vqav2).",
        ),
    ] = None,
    split: SplitOption = None,
    column: ColumnsOption = None,
    limit: LimitOption = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="a,b", help="Names of metrics; else those that suit the rows."),
    ] = None,
    metric_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE.py", help="A metric of your own; the file is run."),
    ] = None,
    max_new_tokens: LongestAnswerOption = 64,
    batch_size: BatchSizeOption = 16,
    quantization: QuantizationOption = "none",
    same_base: SameBaseOption = False,
    key_from: KeyOption = "",
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with an evaluation that was stopped.")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="The evaluations of the workspace.")
    ] = False,
    show: Annotated[
        str | None, typer.Option(metavar="ID", help="The figures of an evaluation again.")
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="With --json: every row, answer and score too.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Score models on rows, with intervals; compare them on the same rows."""
    from studio.evaluation.evaluation_request import Wanted
    from studio.evaluation.evaluation_store import EvaluationStore

    if list_:
        return list_evaluations(look_at(workspace), json, drawn=False)
    if show is not None:
        place = look_at(workspace)
        return _print(EvaluationStore(place).get(show), place, json, rows)
    place = locate(workspace)
    if resume is not None:
        return _print(compute_here(place, EvaluationStore(place).get(resume)), place, json, rows)
    if data is None:
        raise InputError(
            "Which rows?", remedy=f"Give --data, for example --data {EMBEDDED}:heldout."
        )
    if model is None:
        raise InputError("Which model?", remedy=f"Give a hub id, a folder or {EMBEDDED!r} first.")
    wanted = Wanted(
        model=model,
        adapters=tuple(adapter or ()),
        against=against or "",
        metrics=tuple(name.strip() for name in (metrics or "").split(",") if name.strip()),
        metric_file=str(metric_file) if metric_file else "",
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        quantization=quantization,
        same_base=same_base,
        data=data,
        split=split or "",
        key_from=key_from,
    )
    made = _create(place, wanted, column, limit)
    return _print(compute_here(place, made), place, json, rows)


def _create(place: Workspace, wanted: Any, column: list[str] | None, limit: int | None):
    from studio.cli.data import mapping
    from studio.launch.evaluation_job import create_evaluation

    made = create_evaluation(place, wanted, columns=mapping(column), limit=limit, here=True)
    for note in made.request.notes:
        say(f"! {note}")
    return made


def compute_here(
    place: Workspace, evaluation: Evaluation, deliver: Deliver | None = None
) -> Evaluation:
    """Go through an evaluation here, with a progress bar. Ctrl-C leaves it to be gone on with."""
    from studio.cli.progress import progress_bar
    from studio.core.torch_import import loading
    from studio.launch.candidates import delivery_of
    from studio.runs.store import RunStore

    name = evaluation.evaluation_id
    going = next((run for run in RunStore(place).list() if run.alive), None)
    if going is not None:
        say(f"! Run {going.run_id} trains on this machine: both take longer.")
    say(f"Evaluation {name}: {evaluation.request.rows:,} rows of {evaluation.request.source}")
    try:
        with loading():
            from studio.evaluation.evaluation_worker import compute
            from studio.models.log_levels import quiet_libraries

        quiet_libraries()
        with progress_bar("answers") as drawn:
            return compute(place, name, drawn, deliver or delivery_of(place, name))
    except KeyboardInterrupt:
        raise StoppedError(
            f"Evaluation {name} was stopped; what was answered is kept.",
            remedy=f"Go on with: python -m studio evaluate --resume {name}",
        ) from None


def _print(evaluation: Evaluation, place: Workspace, json: bool, rows: bool) -> int:
    if json:
        found = evaluation.to_json()
        if rows:
            from studio.evaluation.evaluation_records import records_json

            found["records"] = records_json(evaluation, place)
        print_json(found)
        return 0
    if evaluation.status.state != "finished":
        status = evaluation.status
        say(f"{evaluation.evaluation_id} is {status.state}: {status.done:,} of {status.total:,}.")
        if status.message:
            say(f"{status.message} {status.remedy}".strip())
        return 0
    from rich.console import Console

    Console().print(_table(evaluation))
    for name, result in evaluation.results.items():
        for sentence in result.sentences:
            about = f"{name}: " if len(evaluation.results) > 1 else ""
            typer.echo(f"{about}{sentence}")
    for note in evaluation.to_json()["notes"]:
        typer.echo(f"! {note}")
    return 0


def _table(evaluation: Evaluation):
    from rich.table import Table

    from studio.evaluation.evaluation_request import metrics_of
    from studio.evaluation.report import shown

    table = Table(title=f"{evaluation.request.rows:,} rows of {evaluation.request.source}")
    table.add_column("")
    for name in evaluation.results:
        table.add_column(name, justify="right", overflow="fold")
    for metric in metrics_of(evaluation.request):
        cells = []
        for result in evaluation.results.values():
            figure = result.metrics[metric.name]
            text = SHOWN_EMPTY if figure.value is None else shown(metric, figure.value)
            if figure.low is not None and figure.high is not None:
                text += f" ({shown(metric, figure.low)} to {shown(metric, figure.high)})"
            cells.append(text)
        counts = sorted({one.metrics[metric.name].rows for one in evaluation.results.values()})
        on = "" if counts == [evaluation.request.rows] else f" ({counts[0]:,} rows)"
        table.add_row(f"{metric.label}{on}", *cells)
    return table


def list_evaluations(place: Workspace, json: bool, *, drawn: bool) -> int:
    """Print the evaluations, or with `drawn` the candidates that models have written."""
    from studio.evaluation.evaluation_store import EvaluationStore

    found = EvaluationStore(place).list(drawn=drawn)
    if json:
        print_json({"candidates" if drawn else "evaluations": [one.to_json() for one in found]})
        return 0
    if not found:
        say("No model has written candidates yet." if drawn else "No evaluations yet.")
    for one in found:
        when = minute(one.status.created)
        names = ", ".join(model.name for model in one.request.models)
        about = f"→ {one.request.dataset}" if drawn else f"· {one.request.source}"
        typer.echo(
            f"{one.evaluation_id:<24} {one.status.state:<9} "
            f"{one.status.done:>6}/{one.status.total:<6} {when}  {names} {about}"
        )
    return 0
