"""What became of a source's fields and files, why rows cannot be used, and which rows changed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from studio.annotation.library.import_report import ImportReport
from studio.annotation.library.rejection_reasons import ReasonGroup
from studio.annotation.library.row_differences import ChangedRow
from studio.core.plurals import counted
from studio.core.quoted_text import quoted
from studio.data.schema import FieldUse, FileGroup
from studio.ui.data.rows_view import thumb
from studio.ui.shared.html import count, flagged_address, notice
from studio.ui.shared.text_differences import safe

ROLES = {
    "image": "Image",
    "question": "Question",
    "answer": "Answer",
    "chosen": "Chosen",
    "rejected": "Rejected",
    "candidates": "Candidates",
    "conversation": "Conversation",
    "system": "System prompt",
    "id": "Id",
    "context": "Context",
    "choices": "Choices",
    "history": "History",
    "first": "First answer",
    "second": "Second answer",
    "winner": "Winner",
    "scores": "Scores",
    "ranks": "Ranks",
    "verdict": "Verdict",
    "accepted": "Accepted answers",
}
"""What a field may be read as, by the words for it; the form maps these."""
SHOWN_FIELDS, SHOWN_NAMED, SHOWN_REASONS, SHOWN_CHANGED, SHOWN_PICTURES = 12, 6, 8, 6, 4
STATES = {"imported": "Imported", "ignored": "Ignored", "refused": "Refused"}
DONE = {
    "ask": "not imported yet",
    "update": "updated, with the old texts in their history",
    "keep": "left as they are here",
    "new": "brought in as rows of their own",
}


def said(title: str, *paragraphs: str, tone: str = "bad") -> str:
    """Draw a notice in which text from outside is inert."""
    return inert(notice(title, *paragraphs, tone=tone))


def inert(drawn: str) -> str:
    """Return HTML in which nothing is left that Gradio's templates would execute."""
    return drawn.replace("{", "&#123;").replace("$", "&#36;")


def unused(fields: Sequence[FieldUse]) -> str:
    """Warn of fields of which something is neither used nor kept; nothing without any."""
    lost = [use for use in fields if use.lost]
    if not lost:
        return ""
    lines = [
        f"{use.path}: in {counted(use.lost)}" + (f", {use.why}." if use.why else ".")
        for use in lost[:SHOWN_NAMED]
    ]
    if len(lost) > SHOWN_NAMED:
        lines.append(f"… and {count(len(lost) - SHOWN_NAMED)} more, in the table of fields.")
    lines.append("If they matter, choose them under “Columns and images”.")
    verb = "is" if len(lost) == 1 else "are"
    return said(f"{counted(len(lost), 'field')} {verb} not used", *lines, tone="warn")


def empty_columns(fields: Sequence[FieldUse]) -> str:
    """Name the columns that have no value in any row; nothing without any."""
    names = [use.path for use in fields if use.empty]
    if not names:
        return ""
    more = f" and {count(len(names) - SHOWN_NAMED)} more" if len(names) > SHOWN_NAMED else ""
    shown = ", ".join(f"<code>{safe(name)}</code>" for name in names[:SHOWN_NAMED])
    return f'<p class="quiet">Empty in every row read: {shown}{more}</p>'


def unread(groups: Sequence[FileGroup]) -> str:
    """Warn of files of which no row is read though they may hold some; nothing without any."""
    lost = [group for group in groups if group.unread]
    if not lost:
        return ""
    total = sum(group.count for group in lost)
    lines = [f"{_named(group)}: {group.why}." for group in lost]
    lines.append(
        "To import one of them by itself, remove what was dropped and drop it alone, or name it as "
        "the source."
    )
    verb = "is" if total == 1 else "are"
    return said(f"{counted(total, 'data file')} {verb} not read", *lines, tone="warn")


def fields_table(fields: Sequence[FieldUse], *, folded: bool = False) -> str:
    """Draw what each field is read as, kept or not; those not used come first."""
    if not fields:
        return ""
    ordered = sorted(fields, key=lambda use: not use.lost)
    rows = [_field(use) for use in ordered]
    return _table("Fields", ("Field", "Used as", "Rows"), rows, folded=folded)


def _field(use: FieldUse) -> str:
    if use.role:
        how = f"<b>{safe(ROLES.get(use.role) or use.role.replace('_', ' ').capitalize())}</b>"
    else:
        how = "Kept beside the row" if use.kept else ""
        if use.lost:
            lost = f"Not used{f': {safe(use.why)}' if use.why else ''}"
            how += f"{'<br>' if how else ''}<span class='lost'>{lost}</span>"
    if use.empty:
        how = "<span class='quiet'>Empty in every row read</span>"
    elif not how and use.left_out:
        how = "<span class='quiet'>Its rows cannot be used</span>"
    of = f" · {count(use.lost)} not used" if use.lost and use.lost != use.rows else ""
    of += f" · {count(use.left_out)} left out" if use.left_out else ""
    mark = ' class="is-lost"' if use.lost else ""
    return (
        f"<tr{mark}><td><code>{safe(use.path)}</code></td><td>{how}</td>"
        f'<td class="tabular">{count(use.rows)}{of}</td></tr>'
    )


def files_table(groups: Sequence[FileGroup], *, folded: bool = False) -> str:
    """Draw what became of the files of a folder or an archive; open where one was refused."""
    folded = folded and not any(group.state == "refused" or group.unread for group in groups)
    order = list(STATES)
    rows = [
        f'<tr class="{"is-lost" if group.state == "refused" or group.unread else ""}">'
        f"<td>{STATES[group.state]}</td><td>{safe(group.why)}"
        f'<span class="examples">{safe(_named(group))}</span></td>'
        f'<td class="tabular">{count(group.count)}</td></tr>'
        for group in sorted(groups, key=lambda group: order.index(group.state), reverse=True)
    ]
    total = sum(group.count for group in groups)
    return _table("Files", ("", "Which, and why", "Files"), rows, folded=folded, total=total)


def _named(group: FileGroup) -> str:
    names = ", ".join(group.examples[:3])
    return f"{names}, …" if group.count > len(group.examples[:3]) else names


def _table(
    title: str, heads: tuple[str, ...], rows: list[str], *, folded: bool, total: int | None = None
) -> str:
    """Draw a table under its title, what is beyond the first rows folded away.

    Args:
        total: How many things it tells of, where a row tells of several.
    """
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in heads)
    shown, rest = "".join(rows[:SHOWN_FIELDS]), rows[SHOWN_FIELDS:]
    table = f"<thead><tr>{head}</tr></thead><tbody>{shown}</tbody>"
    table = f'<table class="source-table">{table}</table>'
    if rest:
        inside = f'<table class="source-table"><tbody>{"".join(rest)}</tbody></table>'
        table += f"<details><summary>{count(len(rest))} more</summary>{inside}</details>"
    return (
        f'<details class="source-part"{"" if folded else " open"}><summary>{title} '
        f'<span class="quiet">{count(len(rows) if total is None else total)}</span></summary>{table}</details>'
    )


def bad_rows(
    reasons: Sequence[ReasonGroup], total: int, subject: str = "", remedy: str = ""
) -> str:
    """Draw why rows cannot be used, each reason once, with the lines of some of its rows.

    Args:
        subject: The rows in words; empty: their number.
    """
    if not total:
        return ""
    lines = [_reason(reason) for reason in reasons[:SHOWN_REASONS]]
    shown = sum(reason.count for reason in reasons[:SHOWN_REASONS])
    if total > shown:
        lines.append(f"… and {count(total - shown)} more.")
    return said(f"{subject or counted(total)} cannot be used", *lines, remedy, tone="warn")


def _reason(reason: ReasonGroup) -> str:
    example = reason.example.rstrip(".")
    if reason.count == 1 and reason.lines:
        return f"Row {reason.lines[0]}: {example}."
    numbers = ", ".join(f"{line:,}" for line in reason.lines)
    more = ", …" if reason.count > len(reason.lines) else ""
    varies = ", for example" if reason.example != reason.reason else ""
    return f"{counted(reason.count)} ({numbers}{more}){varies}: {example}."


def changed_rows(done: ImportReport) -> str:
    """Draw which rows were here under their id with other contents, and what was done with them."""
    total = done.changed_count
    if not total:
        return ""
    be = "is" if total == 1 else "are"
    title = (
        f"{counted(total)} {be} here under the same id with other contents: {DONE[done.on_change]}"
    )
    lines = [_changed(row) for row in done.changed[:SHOWN_CHANGED]]
    if total > SHOWN_CHANGED:
        lines.append(f"… and {count(total - SHOWN_CHANGED)} more.")
    if done.judged:
        lines.append(
            f"{counted(done.judged)} of them had been given to people to label: labels stay with "
            "the answers they saw; where the question or an image changed the row is flagged."
        )
    drawn = said(title, *lines, tone="warn" if done.on_change == "ask" else "")
    if done.judged:
        address = safe(flagged_address(done.dataset))
        drawn += f'<p><a href="{address}">Look at the rows that are flagged</a></p>'
    return drawn + _pictures(done.changed[:SHOWN_CHANGED])


def _changed(row: ChangedRow) -> str:
    parts = [
        f"{change.what} (see below)"
        if any(change.images)
        else f"{change.what} {quoted(change.before)} → {quoted(change.after)}"
        for change in row.changes
    ]
    brought = f" (brought in as {row.brought_as})" if row.brought_as else ""
    return f"{row.external_id}: {'; '.join(parts)}{brought}"


def _pictures(rows: Sequence[ChangedRow]) -> str:
    """Draw the pictures of changed rows as they were and as they are now."""
    lines = [
        f"<p><code>{safe(row.external_id)}</code> {_row_of(before)}"
        f'<span aria-label="became">→</span> {_row_of(after)}</p>'
        for row in rows
        for before, after in (change.images for change in row.changes)
        if before or after
    ]
    return f'<div class="changed-pictures">{"".join(lines)}</div>' if lines else ""


def _row_of(images: Sequence[str]) -> str:
    shown = "".join(thumb((image,)) for image in images[:SHOWN_PICTURES]) or thumb(())
    more = len(images) - SHOWN_PICTURES
    return f"{shown} + {more} " if more > 0 else shown


def metadata(done: ImportReport) -> str:
    """Say of how many rows what is kept beside them differs, and what was done with it."""
    if not done.metadata:
        return ""
    what = f"What is kept beside {counted(done.metadata)}"
    lines = [_changed(row) for row in done.beside[:SHOWN_CHANGED]]
    if done.metadata > SHOWN_CHANGED:
        lines.append(f"… and {count(done.metadata - SHOWN_CHANGED)} more.")
    if done.on_change == "update":
        return said(f"{what} was updated", *lines, tone="")
    return said(f"{what} differs from what is here, and was left as it is", *lines, tone="warn")


def labels_left_out(done: ImportReport) -> str:
    """Say which labels of other people came with the rows and were not brought in."""
    given = done.given_labels
    lines = [
        f"{counted(number, 'label')} of {name}: somebody here has that name."
        for name, number in given.refused.items()
    ]
    if given.refused:
        name = next(iter(given.refused))
        lines.append(
            "If they are other people, give other names below, or: python -m studio import … --labels "
            f"--labels-as {shlex.quote(f'{name}=OTHER NAME')}"
        )
    if given.found and not given.brought:
        lines = [f"{counted(number, 'label')} of {name}." for name, number in given.found.items()]
    if not lines:
        return ""
    return said(
        "Labels that came with the rows were left out", *lines[: SHOWN_NAMED + 1], tone="warn"
    )
