"""The order in which the pairs of a dataset are handed out, from the command line."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, look_at, print_json, say
from studio.core.errors import StoppedError
from studio.core.paths import Workspace
from studio.core.plurals import counted

if TYPE_CHECKING:
    from studio.launch.queue_order import OrderReport

WHO = "command line"


def order(
    dataset: Annotated[str, typer.Argument(help="A dataset of the library.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL[@RUN]",
            help="Who weighs the pairs; without one, the newest run's adapter.",
        ),
    ] = "",
    off: Annotated[
        bool, typer.Option("--off", help="Hand pairs out in the order in which they came again.")
    ] = False,
    curve: Annotated[
        bool, typer.Option("--curve", help="Say whether more labels are worth it; orders nothing.")
    ] = False,
    who: Annotated[str, typer.Option(hidden=True)] = WHO,
    makes_way: Annotated[bool, typer.Option("--makes-way", hidden=True)] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Hand out first the pairs whose labels a model learns most from, a share of them by lot."""
    if off:
        return _end(look_at(workspace), dataset, who, json)
    if curve:
        return _curve(look_at(workspace), dataset, json)
    report = _run(locate(workspace), dataset, model, who, makes_way)
    if json:
        print_json(asdict(report))
        return 0
    say(
        f"{counted(report.ranked, 'pair')} of {dataset} now wait in the order of {report.model}; "
        f"{report.random:,} more come by lot between them."
    )
    for reason, number in report.failed.items():
        say(f"! {counted(number, 'pair')} could not be weighed and come last: {reason}")
    return 0


def _run(place: Workspace, dataset: str, model: str, who: str, makes_way: bool) -> OrderReport:
    from studio.cli.progress import progress_bar
    from studio.core.torch_import import loading
    from studio.launch.queue_order import order_queue

    try:
        with loading():
            from studio.models.log_levels import quiet_libraries

        quiet_libraries()
        with progress_bar("pairs") as drawn:
            return order_queue(
                place, dataset, model=model, who=who, progress=drawn, makes_way=makes_way
            )
    except KeyboardInterrupt:
        raise StoppedError(
            "The ordering was stopped; the queue is as it was.",
            remedy="Give the same command again: what was weighed is kept.",
        ) from None


def _end(place: Workspace, dataset: str, who: str, json: bool) -> int:
    from studio.annotation import AnnotationStore
    from studio.launch.queue_order import end_order

    with closing(AnnotationStore(place.database_url)) as store:
        end_order(place, dataset, who, store)
    if json:
        print_json({"dataset": dataset, "ordered": False})
        return 0
    say(f"Pairs of {dataset} are handed out in the order in which they came.")
    return 0


def _curve(place: Workspace, dataset: str, json: bool) -> int:
    from studio.annotation import AnnotationStore
    from studio.launch.queue_order import curve_of

    with closing(AnnotationStore(place.database_url)) as store:
        found = curve_of(place, dataset, store)
    if json:
        print_json({"dataset": dataset, **asdict(found)})
        return 0
    for point in found.points:
        typer.echo(
            f"{point.labels:>8,} labels  {point.value:.1%} ({point.low:.1%} to {point.high:.1%}), "
            f"{counted(point.pairs, 'pair')}, {point.model}"
        )
    typer.echo(found.sentence)
    return 0
