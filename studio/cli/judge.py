"""A model that judges the pairs of a dataset, from the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.model_options import KeyOption
from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say
from studio.core.errors import InputError, StoppedError
from studio.core.paths import Workspace
from studio.core.plurals import counted

if TYPE_CHECKING:
    from studio.annotation.quality.confidence_interval import MeasuredFigure
    from studio.annotation.quality.judges import JudgeFigures
    from studio.evaluation.evaluated_models import EvaluatedModel
    from studio.launch.judge import JudgeReport

WHO = "command line"


def judge(
    dataset: Annotated[str, typer.Argument(help="A dataset of the library, or that of a match.")],
    endpoint: Annotated[
        str,
        typer.Option(metavar="URL", help="An OpenAI-compatible server with the model."),
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME|MODEL[@RUN]",
            help="The model's name at the endpoint; without one, a model of this machine.",
        ),
    ] = "",
    key_from: KeyOption = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Most pairs now.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
    count: Annotated[
        str,
        typer.Option(metavar="judge:NAME", help="Let what it said count like a person's labels."),
    ] = "",
    uncount: Annotated[str, typer.Option(metavar="judge:NAME", help="Take its labels back.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Let a model judge pairs, and measure it against gold and people; without one: how they stand."""
    if count or uncount:
        return _count(look_at(workspace), dataset, count or uncount, bool(count), json)
    if not (model or endpoint or key_from):
        return _show(look_at(workspace), dataset, json)
    from studio.launch.judge import find_judge, pairs_waiting

    place = locate(workspace)
    found = find_judge(place, endpoint=endpoint, model=model, key_from=key_from)
    waiting = pairs_waiting(place, dataset, found)
    if waiting:
        _agree_to_send(found, min(waiting, limit or waiting), yes)
    report = _run(place, dataset, found, limit)
    if json:
        print_json(asdict(report))
        return 0
    say(
        f"{report.judge} judged {counted(report.judged, 'pair')} now; "
        f"{report.known:,} were judged before."
    )
    for reason, number in report.failed.items():
        say(f"! {counted(number, 'pair')} without a verdict: {reason}")
    _tell(report.figures)
    return 0


def _run(place: Workspace, dataset: str, found: EvaluatedModel, limit: int | None) -> JudgeReport:
    from studio.cli.progress import progress_bar
    from studio.core.torch_import import loading
    from studio.launch.judge import run_judge

    try:
        with loading():
            from studio.models.log_levels import quiet_libraries

        quiet_libraries()
        with progress_bar("pairs") as drawn:
            return run_judge(place, dataset, found, limit=limit, progress=drawn)
    except KeyboardInterrupt:
        raise StoppedError(
            "The judging was stopped; what was judged is kept.",
            remedy="Give the same command again to go on.",
        ) from None


def _agree_to_send(found: EvaluatedModel, pairs: int, yes: bool) -> None:
    """Say what leaves the machine, and ask whether it may."""
    endpoint = found.endpoint
    if endpoint is None:
        return
    say(endpoint.what_leaves(f"Questions, images and answers of {counted(pairs, 'pair')}"))
    if endpoint.leaves_machine and not yes:
        typer.confirm("Send them?", abort=True, err=True)


def _show(place: Workspace, dataset: str, json: bool) -> int:
    from studio.launch.judge import judges_of

    found = judges_of(place, dataset)
    if json:
        print_json({"dataset": dataset, "judges": [asdict(one) for one in found]})
        return 0
    if not found:
        say(f"No model has judged {dataset!r} yet: give --model, and --endpoint if it has one.")
    for figures in found:
        _tell(figures)
    return 0


def _count(place: Workspace, dataset: str, name: str, counts: bool, json: bool) -> int:
    from studio.launch.judge import count_judge

    if not name.startswith("judge:"):
        raise InputError(f"{name[:60]!r} is no judge.", remedy="Its name begins with judge:.")
    changed = count_judge(place, dataset, name, who=WHO, counted=counts)
    if json:
        print_json({"dataset": dataset, "judge": name, "counted": counts, "labels": changed})
        return 0
    what = "count from now on" if counts else "are taken back"
    say(f"{counted(changed, 'label')} of {name} {what}.")
    return 0


def _tell(figures: JudgeFigures) -> None:
    counts = " (its judgements count as labels)" if figures.counted else ""
    typer.echo(f"{figures.judge}: {counted(figures.pairs, 'pair')}{counts}")
    typer.echo(f"  ties {figures.ties:,}, not understood {figures.unreadable:,}")
    lines = {
        "changed its mind with the order": figures.changed_mind,
        "right on gold pairs": figures.gold,
        "κ against gold": figures.gold_kappa,
        "κ against the majority of people": figures.people_kappa,
        **{f"κ against {name}": figure for name, figure in figures.people.items()},
    }
    for number, (name, figure) in enumerate(lines.items()):
        typer.echo(f"  {name}: {_shown(figure, share=number < 2)}")
    for author, wins in figures.wins.items():
        typer.echo(f"  preferred {author or 'an answer without author'}: {wins:,}")


def _shown(figure: MeasuredFigure, *, share: bool) -> str:
    if figure.value is None:
        return figure.why
    form = "{:.0%}" if share else "{:.2f}"
    ends = (
        f" ({form.format(figure.low)} to {form.format(figure.high)})"
        if figure.low is not None and figure.high is not None
        else ""
    )
    return f"{form.format(figure.value)}{ends}, {counted(figure.count, 'pair')}"
