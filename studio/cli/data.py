"""Bringing rows in and taking labelled pairs out."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.options import JsonOption, WorkspaceOption, locate, print_json, say
from studio.cli.progress import progress_bar
from studio.config.export import EVALUATION_SHARE, LEAST_VOTES, MOST_EVALUATION_SHARE
from studio.core.errors import InputError
from studio.core.plurals import counted

if TYPE_CHECKING:
    from studio.annotation import AnnotationStore
    from studio.annotation.export.preference_export import Export
    from studio.annotation.library.sources import ImportReport
    from studio.core.paths import Workspace

SHOWN_BAD = 20


def import_(
    source: Annotated[
        str,
        typer.Argument(help="Hub id, file, folder, ZIP, another workspace or embedded:<sample>."),
    ],
    split: Annotated[
        str | None, typer.Option(help="Split, slice such as train[:10%], or all.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="ROLE=NAME", help="question=query")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="From another workspace: the labels given there too.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Import rows into the workspace."""
    from studio.annotation import AnnotationStore
    from studio.annotation.library.other_workspace_labels import described
    from studio.annotation.library.sources import import_source

    place = locate(workspace)
    with (
        closing(AnnotationStore(place.database_url)) as store,
        progress_bar("Importing") as show,
    ):
        report = import_source(
            source,
            place,
            store,
            split=split,
            columns=mapping(column),
            limit=limit,
            name=name,
            labels=labels,
            on_progress=show,
        )
    if json:
        print_json(_as_json(report))
        return 0
    typer.echo(f"Recognised as {report.recognised_as}.")
    typer.echo(f"{report.added} rows added to {report.dataset}, {report.unchanged} already there.")
    if report.extended:
        typer.echo(f"{report.extended} rows given new answers.")
    if report.identical:
        typer.echo(f"{report.identical} rows have answers that all say the same: no pair.")
    if report.labels:
        typer.echo(f"Labels: {described(report.labels)}.")
    for row in report.bad[:SHOWN_BAD]:
        say(f"line {row.line} left out: {row.reason}")
    if report.left_out:
        say(f"{counted(report.bad_count)} left out, all listed in {report.left_out}")
    return 0


def _as_json(report: ImportReport) -> dict[str, object]:
    return {
        "dataset": report.dataset,
        "recognised_as": report.recognised_as,
        "added": report.added,
        "unchanged": report.unchanged,
        "extended": report.extended,
        "identical": report.identical,
        "labels": asdict(report.labels) if report.labels else None,
        "left_out": report.bad_count,
        "left_out_file": str(report.left_out) if report.left_out else None,
        "bad": [{"line": row.line, "reason": row.reason} for row in report.bad],
    }


def export(
    dataset: Annotated[
        str | None, typer.Option(help="Which imported dataset; not needed where there is one.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the export.")] = None,
    format: Annotated[
        str,
        typer.Option(
            help="trl, jsonl, csv, parquet, argilla, label-studio, ms-swift, llama-factory, openai."
        ),
    ] = "trl",
    ties: Annotated[
        str,
        typer.Option(
            help="drop: a pair with ties is left out; ignore: ties do not count as votes."
        ),
    ] = "drop",
    minimum_votes: Annotated[int, typer.Option(min=LEAST_VOTES)] = LEAST_VOTES,
    include_imported: Annotated[
        bool, typer.Option(help="Also pairs whose preference came with the data.")
    ] = False,
    minimum_agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the votes the winner needs.")
    ] = 0.0,
    annotator: Annotated[
        list[str] | None, typer.Option(help="Only these people's votes; may be repeated.")
    ] = None,
    shape: Annotated[
        str,
        typer.Option(help="preferences, completions, ranked, answers or verdicts."),
    ] = "preferences",
    written: Annotated[bool, typer.Option(help="With edits and ideal answers.")] = True,
    balance_lengths: Annotated[
        bool, typer.Option(help="Until the longer answer wins in half of the pairs.")
    ] = False,
    evaluation_share: Annotated[
        float,
        typer.Option(min=0, max=MOST_EVALUATION_SHARE, help="Share of the images held out (trl)."),
    ] = EVALUATION_SHARE,
    anonymous: Annotated[
        bool, typer.Option(help="With numbers in the place of people's names.")
    ] = False,
    push: Annotated[
        str | None, typer.Option(metavar="REPO", help="Also to a dataset repository of the hub.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Freeze labelled pairs into a dataset that can be trained on."""
    made, pushed = _export(
        locate(workspace),
        dataset,
        name,
        push,
        tie_policy=ties,
        minimum_votes=minimum_votes,
        format=format,
        include_imported=include_imported,
        shape=shape,
        evaluation_share=evaluation_share,
        minimum_agreement=minimum_agreement,
        annotators=tuple(annotator or ()),
        include_written=written,
        balance_lengths=balance_lengths,
        anonymous=anonymous,
    )
    if json:
        print_json(_export_json(made) | {"pushed": pushed})
    else:
        _tell_export(made, pushed)
    return 0


def _export(
    place: Workspace, dataset: str | None, name: str | None, push: str | None, **settings: Any
) -> tuple[Export, str | None]:
    """Return the export, and where it was pushed; both go into the audit log."""
    from studio.annotation import AnnotationStore
    from studio.annotation.export import hub_publish
    from studio.annotation.export.preference_export import export_name, export_preferences
    from studio.data.image_store import ImageStore

    with closing(AnnotationStore(place.database_url)) as store:
        chosen = dataset or _only_dataset(store)
        named = name or export_name(chosen)
        images = ImageStore(place)
        made = export_preferences(store, images, place, dataset=chosen, name=named, **settings)
        store.team.note(_who(), "export", chosen, {"to": made.source, "rows": made.rows})
        pushed = hub_publish.push(made.path, push) if push else None
        if pushed:
            store.team.note(_who(), "export", chosen, {"pushed": pushed})
    return made, pushed


def _who() -> str:
    """Return the name for the audit log; a container's user may have none."""
    try:
        return getuser()
    except (KeyError, OSError):
        return "command line"


def _only_dataset(store: AnnotationStore) -> str:
    """The dataset that is meant when none is named. Raises InputError when that is not clear."""
    names = [found.name for found in store.datasets() if found.pairs]
    if len(names) == 1:
        return names[0]
    raise InputError(
        f"Which dataset? There are {len(names)} with pairs." if names else "There are no pairs.",
        remedy=f"Use --dataset with one of: {', '.join(names)}." if names else "Import some first.",
        field="dataset",
    )


def _export_json(made: Export) -> dict[str, Any]:
    return {
        "source": made.source,
        "path": str(made.path),
        "rows": made.rows,
        "left_out": made.left_out,
        "not_held": made.not_held,
    }


def _tell_export(made: Export, pushed: str | None) -> None:
    from studio.annotation.export.format_losses import say_losses
    from studio.annotation.export.formats.format_table import FILES
    from studio.annotation.export.hub_publish import MANIFEST, dates
    from studio.annotation.export.label_policies import REASONS
    from studio.core.paths import read_json

    typer.echo(f"{counted(made.rows)} in {made.source}")
    if dated := dates(read_json(made.path / MANIFEST) or {}):
        typer.echo(dated.strip())
    if pushed:
        typer.echo(f"Pushed to {pushed}")
    for reason, count in made.left_out.items():
        if count:
            say(f"{count} left out: {REASONS[reason]}")
    if made.format in FILES:
        for line in say_losses(FILES[made.format], made.not_held):
            say(line)


def mapping(assignments: list[str] | None) -> dict[str, str]:
    """`["question=query"]` as a mapping."""
    pairs = [assignment.partition("=") for assignment in assignments or []]
    wrong = next((role for role, separator, _ in pairs if not separator), None)
    if wrong is not None:
        raise typer.BadParameter(f"{wrong!r} is not of the form role=column.")
    return {role: name for role, _, name in pairs}
