"""Bringing rows in and taking labelled pairs out."""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum
from getpass import getuser
from pathlib import Path
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
    from studio.annotation.library.import_report import ImportReport, SourcePreview
    from studio.core.paths import Workspace

PREVIEWED = 5
MOST_PREVIEWED = 100


class OnChange(StrEnum):
    """What to do with rows that are here under their id with another content."""

    ask = "ask"
    update = "update"
    keep = "keep"
    new = "new"


def import_(
    source: Annotated[
        str,
        typer.Argument(help="Hub id, file, folder, ZIP, another workspace or embedded:<sample>."),
    ],
    split: Annotated[
        str | None, typer.Option(help="Split, slice such as train[:10%], or all.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="ROLE=NAME",
            help="question=query; a path (data.question), several columns (image=a,b), or a "
            "constant (question==Describe the chart.). Kept with the dataset.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="The labels that people gave elsewhere too.")
    ] = False,
    labels_as: Annotated[
        list[str] | None,
        typer.Option(
            "--labels-as", metavar="OLD=NEW", help="The name here of an annotator of the source."
        ),
    ] = None,
    changed: Annotated[
        OnChange,
        typer.Option(
            help="Rows here with another content: ask names them, update replaces with history, "
            "keep leaves them, new brings them in as further rows."
        ),
    ] = OnChange.ask,
    images: Annotated[
        Path | None, typer.Option(help="A folder with the images, if not beside the data.")
    ] = None,
    saved_columns: Annotated[
        bool,
        typer.Option(
            "--saved-columns/--no-saved-columns",
            help="Read as the import before into this dataset, or forget how that was.",
        ),
    ] = True,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only say what would be read; nothing is written.")
    ] = False,
    auth: Annotated[
        Path | None,
        typer.Option(help="The accounts of the studio, whose names no annotator may take."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> int:
    """Import rows into the workspace."""
    from studio.cli import import_report as told

    place = locate(workspace)
    asked: dict[str, Any] = {
        "split": split,
        "columns": mapping(column) if column else None,
        "name": name,
        "images": _folder(images),
        "use_saved": saved_columns,
    }
    if preview:
        found = _preview(place, source, min(limit or PREVIEWED, MOST_PREVIEWED), asked)
        if json:
            print_json(told.preview_json(found))
        else:
            for line in told.preview_lines(found):
                typer.echo(line)
        return 0
    asked |= {"limit": limit, "labels": labels, "on_change": changed.value}
    asked |= {"labels_as": _renamed(labels_as), "accounts": _names(auth), "by": _who()}
    report = _import(place, source, asked)
    if json:
        print_json(told.import_json(report))
        return 0
    for line in told.import_lines(report):
        typer.echo(line)
    for line in told.left_out_lines(report):
        say(line)
    for line in told.next_lines(report.next, str(place.root)) if report.next else ():
        typer.echo(line)
    return 0


def _import(place: Workspace, source: str, asked: dict[str, Any]) -> ImportReport:
    from studio.annotation import AnnotationStore
    from studio.annotation.library.source_import import import_source

    with (
        closing(AnnotationStore(place.database_url)) as store,
        progress_bar("Importing") as show,
    ):
        return import_source(source, place, store, on_progress=show, **asked)


def _preview(place: Workspace, source: str, limit: int, asked: dict[str, Any]) -> SourcePreview:
    from studio.annotation import AnnotationStore
    from studio.annotation.library.source_import import preview_source

    with closing(AnnotationStore(place.database_url)) as store:
        return preview_source(source, place, limit=limit, store=store, **asked)


def _folder(images: Path | None) -> Path | None:
    """Check the folder of images. Raises InputError when there is none."""
    if images is None:
        return None
    folder = images.expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"There is no folder {images}.", remedy="Check the path.", field="images")
    return folder


def _names(auth: Path | None) -> tuple[str, ...]:
    """Read the names of the accounts in a file."""
    if auth is None:
        return ()
    from studio.api.access.accounts import Accounts

    return tuple(Accounts.load(auth).by_name)


def _renamed(assignments: list[str] | None) -> dict[str, str]:
    """`["ana=Ana Lima"]` as a mapping."""
    pairs = [assignment.partition("=") for assignment in assignments or []]
    wrong = next((old for old, separator, new in pairs if not separator or not new), None)
    if wrong is not None:
        raise typer.BadParameter(f"{wrong!r} is not of the form OLD=NEW.")
    return {old: new for old, _, new in pairs}


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
