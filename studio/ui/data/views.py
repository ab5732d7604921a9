"""How the library's surroundings look: datasets, previews, imports on their way and done."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count as numbers

from studio.annotation import DatasetView
from studio.annotation.library.import_job import ImportStatus
from studio.annotation.library.import_report import ImportReport, SourcePreview
from studio.annotation.library.other_workspace_labels import described
from studio.api.upload_folders import without_folder
from studio.core.plurals import counted
from studio.data.schema import Row
from studio.ui.data import source_tables as tables
from studio.ui.data.rows_view import thumb
from studio.ui.shared.html import bar, count, duration
from studio.ui.shared.text_differences import safe

DRAWN = numbers(1)


def addressed(shown: str, address: str, ticks: int) -> str:
    """Rows, with what assets/web/library/row-list.js does beside them.

    Args:
        address: The part of the page's address that names them.
        ticks: Number of the last tick that the rows show; what was ticked since stays ticked.
    """
    marks = f'data-address="{safe(address)}" data-ticks="{ticks}" data-drawn="{next(DRAWN)}"'
    return f"<span hidden {marks}></span>{shown}"


def dataset_list(
    datasets: list[DatasetView], chosen: str | None, made: Collection[str] = ()
) -> str:
    """Draw the datasets with their counts; each is a button that carries its name.

    Args:
        made: Those that matches and rounds have made; they stand folded below the others.
    """
    if not datasets:
        return '<div class="quiet">No datasets yet.</div>'
    cards = []
    if len(datasets) > 1:
        total = sum(dataset.items for dataset in datasets)
        cards.append(_dataset("", "All datasets", counted(total), not chosen))
    folded: list[str] = []
    for dataset in datasets:
        facts = counted(dataset.items)
        if dataset.pairs:
            facts += f" · {count(dataset.labelled)} of {counted(dataset.pairs, 'pair')} labelled"
        card = _dataset(dataset.name, dataset.name, facts, dataset.name == chosen)
        (folded if dataset.name in made else cards).append(card)
    below = ""
    if folded:
        shown = " open" if chosen in made else ""
        below = (
            f"<details{shown}><summary>Of matches and rounds ({len(folded):,})</summary>"
            f"{''.join(folded)}</details>"
        )
    return f'<div class="dataset-list">{"".join(cards)}{below}</div>'


def preview(found: SourcePreview, offer: str = "") -> str:
    """Draw what a source was recognised as, with its first rows and what is wrong with others.

    Args:
        offer: How images that are missing can be added.
    """
    rows = "".join(_preview_row(row) for row in found.first)
    counted = "number of rows unknown"
    if found.rows is not None:
        counted = f"{count(found.rows)} {'row' if found.rows == 1 else 'rows'}"
    return (
        f'<div class="preview"><p><b>Recognised as: {safe(found.recognised_as)}</b> · '
        f"{counted} · {safe(found.label)}{_splits(found.splits)}</p>{_labels(found.labels)}"
        f"{_reading(found)}{_notes(found.notes)}{tables.unread(found.files)}{tables.unused(found.fields)}"
        f"{tables.empty_columns(found.fields)}"
        f'<div class="preview-rows">{rows}</div>'
        f"{_bad_among_first(found, offer)}{tables.fields_table(found.fields)}"
        f"{tables.files_table(found.files)}</div>"
    )


def _labels(labels: dict[str, int] | None) -> str:
    """Draw which labels people gave elsewhere: in another workspace, or with another tool."""
    if labels is None:
        return ""
    if not labels:
        return '<p class="quiet">Nobody has labelled these rows there.</p>'
    who = ", ".join(f"{safe(name)} {given:,}" for name, given in labels.items())
    return (
        f'<p class="quiet">Labels given there: {who}. They stay there unless you tick that they '
        "come too; importing again brings only what is new.</p>"
    )


def _reading(found: SourcePreview) -> str:
    """Say whose choice of columns is used, when it is that of an earlier import."""
    chosen = ", ".join(f"{role}={name}" for role, name in found.columns_saved.items())
    words = ""
    if found.columns_from == "saved":
        words = f"Read with the columns chosen before: {chosen}."
    elif found.columns_from == "unfit":
        words = (
            f"The columns chosen before ({chosen}) are not in this source: it is read as "
            "recognised."
        )
    if found.images:
        words += f" Images are also looked for in {found.images}."
    return f'<p class="quiet">{safe(words.strip())}</p>' if words else ""


def _splits(splits: tuple[str, ...]) -> str:
    if len(splits) < 2:
        return ""
    return f" · splits: {safe(', '.join(splits[:12]))} (or “all”)"


def progress(status: ImportStatus) -> str:
    """Draw an import on its way."""
    source = safe(without_folder(status.source))
    if status.stopping:
        return f'<div class="preview"><p><b>Stopping the import of {source}</b></p></div>'
    share = status.read / status.total if status.total else 0.0
    of = f" of {status.total:,}" if status.total else ""
    left = status.seconds_left
    when = f" · {duration(left)} left" if left is not None else ""
    return (
        f'<div class="preview"><p><b>Importing {source}</b> · '
        f"{status.read:,}{of} rows read{when}</p>{bar(share)}"
        '<p class="quiet">You may leave; it goes on. The rows appear when all are read.</p></div>'
    )


def arrived(number: int) -> str:
    """Draw a sign for the page that import `number` has ended."""
    return f'<span data-arrived="{number}"></span>'


def summary(done: ImportReport) -> str:
    """Draw what an import did, in one line."""
    parts = [f"{count(done.added)} added"]
    parts += [f"{count(done.unchanged)} already there"] if done.unchanged else []
    parts += [f"{count(done.extended)} given new answers"] if done.extended else []
    changed = counted(done.changed_count, "changed row", "changed rows")
    parts += [changed] if done.changed_count else []
    parts += [_left_out(done)] if done.bad_count else []
    parts += [f"labels: {described(done.labels)}"] if done.labels else []
    parts += [f"{count(done.identical)} with two equal answers"] if done.identical else []
    return f'<div class="quiet">{safe(done.dataset)}: {", ".join(parts)}</div>'


def _left_out(done: ImportReport) -> str:
    """Draw how many rows were left out; a click has them all."""
    words = f"{count(done.bad_count)} left out"
    if done.left_out is None:
        return words
    return f'<a href="studio/imports/{done.number}/left-out.csv" download>{words}</a>'


def report(done: ImportReport, offer: str = "") -> str:
    """Draw what an import did: changed rows, those left out, and what of the source is not used."""
    return (
        f'<div class="preview" data-imported="{safe(done.dataset)}">'
        f"<p><b>Imported into {safe(done.dataset)}</b></p>{summary(done)}"
        f"{tables.changed_rows(done)}{tables.metadata(done)}{tables.labels_left_out(done)}"
        f"{tables.bad_rows(done.reasons, done.bad_count, remedy=offer)}{_download(done)}"
        f"{tables.unread(done.files)}{_notes(done.notes)}{tables.unused(done.fields)}"
        f"{tables.empty_columns(done.fields)}"
        f"{tables.fields_table(done.fields, folded=True)}"
        f"{tables.files_table(done.files, folded=True)}</div>"
    )


def _notes(notes: list[str]) -> str:
    return tables.said("", *notes, tone="") if notes else ""


def _bad_among_first(found: SourcePreview, offer: str) -> str:
    seen = len(found.first) + len(found.bad)
    bad = len(found.bad)
    among = f"{bad} of the first {seen} rows" if seen > 1 else ""
    further = f"{counted(len(found.further))} further down"
    return tables.bad_rows(found.reasons, bad, among, offer) + tables.bad_rows(
        found.further_reasons, len(found.further), further
    )


def _download(done: ImportReport) -> str:
    """All rows left out, as a file."""
    if done.left_out is None:
        return ""
    return (
        f'<p><a href="studio/imports/{done.number}/left-out.csv" download>'
        f"Download all {count(done.bad_count)} with their reasons (CSV)</a></p>"
    )


def _dataset(name: str, title: str, facts: str, chosen: bool) -> str:
    return (
        f'<button class="dataset-card" data-dataset="{safe(name)}" '
        f'aria-pressed="{str(chosen).lower()}"><span class="name">{safe(title)}</span>'
        f'<span class="facts">{facts}</span></button>'
    )


def _preview_row(row: Row) -> str:
    answers = [
        (word, tone, answer.text)
        for word, tone, answer in (
            ("Answer", "tie", row.completion),
            ("Chosen", "chosen", row.chosen),
            ("Rejected", "rejected", row.rejected),
        )
        if answer
    ]
    answers += [("Answer", "tie", answer.text) for answer in row.candidates]
    lines = "".join(
        f'<span class="answer-line {tone}"><b>{word}</b> <span class="clip1">{safe(text)}</span></span>'
        for word, tone, text in answers
    )
    return (
        f'<div class="preview-row">{thumb(row.images)}<div>'
        f'<span class="clip2">{safe(row.question)}</span>{lines}</div></div>'
    )
