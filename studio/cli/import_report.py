"""What a preview and an import say on the command line, in lines and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.plurals import counted
from studio.core.quoted_text import quoted
from studio.data.schema import ACCEPTED, VERDICT, BadRow, FieldUse, FileGroup, Row, plain_row

if TYPE_CHECKING:
    from studio.annotation.library.dataset_next_steps import NextSteps
    from studio.annotation.library.import_report import ImportReport, SourcePreview
    from studio.annotation.library.rejection_reasons import ReasonGroup
    from studio.annotation.library.row_differences import Change, ChangedRow

SHOWN_BAD = 20
SHOWN_CHANGED = 20
SHOWN_FILES = 5
WAYS = {
    "update": "replaces what is here; the old texts stay in the history, labelled answers stay",
    "keep": "leaves what is here",
    "new": "brings them in as further rows, under id~2",
}
DONE = {
    "ask": "not imported",
    "update": "updated, with the old texts in the history",
    "keep": "left as it is here",
    "new": "brought in beside what is here",
}


def preview_lines(found: SourcePreview) -> Iterator[str]:
    """Tell what a source holds and what would become of it; nothing is written."""
    rows = "number of rows unknown" if found.rows is None else counted(found.rows)
    yield f"Recognised as {found.recognised_as}: {rows}, {found.label}."
    if len(found.splits) > 1:
        yield f"Splits: {', '.join(found.splits)} (--split NAME or --split all)."
    yield from _reading(found.mapping, found.columns_from, found.columns_saved, found.images)
    yield from _fields(found.fields)
    yield from _files(found.files)
    yield from found.notes
    for row in found.first:
        yield from _row(row)
    yield from _reasons(found.reasons, "cannot be used")
    yield from _reasons(found.further_reasons, "further down cannot be used")
    if found.labels:
        yield f"Labels: {_people(found.labels)} (--labels brings them)."
    yield "Nothing was imported; without --preview it is."


def import_lines(done: ImportReport) -> Iterator[str]:
    """Tell what an import did, and what became of every field, file and row."""
    yield f"Recognised as {done.recognised_as}."
    yield from _reading(done.mapping, done.columns_from, done.columns_saved, done.images)
    yield f"{counted(done.added)} added to {done.dataset}, {done.unchanged:,} already there."
    if done.extended:
        yield f"{counted(done.extended)} given new answers."
    if done.identical:
        yield f"{counted(done.identical)} with answers that all say the same: no pair."
    yield from _changed(done)
    yield from _metadata(done)
    yield from _fields(done.fields)
    yield from _files(done.files)
    yield from done.notes
    yield from _labels(done)


def left_out_lines(done: ImportReport) -> Iterator[str]:
    """Tell which rows were left out, and why."""
    yield from _reasons(done.reasons, "left out")
    for row in done.bad[:SHOWN_BAD]:
        yield f"line {row.line} left out: {row.reason}"
    if done.left_out:
        yield f"{counted(done.bad_count)} left out, all listed in {done.left_out}"


def next_lines(steps: NextSteps, place: str) -> Iterator[str]:
    """Tell what can be done now, with the command for it."""
    workspace = f" --workspace {shlex.quote(place)}"
    source = shlex.quote(f"data.source=library:{steps.dataset}")
    if steps.undecided:
        yield (
            f"Next: label {counted(steps.undecided, 'pair')}:  python app.py{workspace}  (Annotate)"
        )
    if steps.to_decide:
        yield (
            f"Next: decide {counted(steps.to_decide, 'pair')} without a majority, skipped too often "
            f"or flagged:  python app.py{workspace}  (Team, Decide)"
        )
    if steps.preferences:
        yield (
            f"Next: train DPO on {counted(steps.preferences, 'pair')}:  python -m studio train "
            f"assets/presets/embedded-dpo.yaml --set {source}{workspace}"
        )
    if steps.answers:
        yield (
            f"Next: train SFT on {counted(steps.answers)}:  python -m studio train "
            f"assets/presets/embedded-sft.yaml --set {source}{workspace}"
        )
    if steps.single:
        bad = shlex.quote(f"library:{steps.dataset}?verdict=bad")
        yield (
            f"{counted(steps.single)} with a single answer that is bad or was not judged: nothing "
            f"is trained on it (the bad ones: {bad})."
        )
    if steps.unanswered:
        yield (
            f"{counted(steps.unanswered)} without an answer: write them, or ask a model, in the "
            f"studio:  python app.py{workspace}  (Data)"
        )


def import_json(done: ImportReport) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "dataset": done.dataset,
        "recognised_as": done.recognised_as,
        "mapping": done.mapping,
        "columns_from": done.columns_from or None,
        "images": done.images or None,
        "added": done.added,
        "unchanged": done.unchanged,
        "extended": done.extended,
        "identical": done.identical,
        "on_change": done.on_change,
        "changed_count": done.changed_count,
        "changed": [_changed_json(row) for row in done.changed],
        "metadata": done.metadata,
        "beside": [_changed_json(row) for row in done.beside],
        "judged": done.judged,
        "labels": asdict(done.labels) if done.labels else None,
        "given_labels": asdict(done.given_labels),
        "fields": fields_json(done.fields),
        "files": [asdict(group) for group in done.files],
        "notes": done.notes,
        "left_out": done.bad_count,
        "left_out_file": str(done.left_out) if done.left_out else None,
        "reasons": [asdict(group) for group in done.reasons],
        "bad": _bad_json(done.bad),
        "next": asdict(done.next) if done.next else None,
    }


def preview_json(found: SourcePreview) -> dict[str, Any]:
    """A preview as plain values."""
    return {
        "label": found.label,
        "recognised_as": found.recognised_as,
        "columns": list(found.columns),
        "mapping": found.mapping,
        "columns_from": found.columns_from or None,
        "images": found.images or None,
        "splits": list(found.splits),
        "rows": found.rows,
        "first": [plain_row(row) for row in found.first],
        "labels": found.labels,
        "fields": fields_json(found.fields),
        "files": [asdict(group) for group in found.files],
        "notes": found.notes,
        "reasons": [asdict(group) for group in found.reasons],
        "bad": _bad_json(found.bad),
        "further_reasons": [asdict(group) for group in found.further_reasons],
        "further": _bad_json(found.further),
    }


def fields_json(fields: Iterable[FieldUse]) -> list[dict[str, object]]:
    """Fields as plain values."""
    return [{**asdict(use), "lost": use.lost} for use in fields]


def _bad_json(rows: Iterable[BadRow]) -> list[dict[str, object]]:
    return [{"line": row.line, "reason": row.reason} for row in rows]


def _changed_json(row: ChangedRow) -> dict[str, object]:
    return {
        "id": row.external_id,
        "what": list(row.what),
        "changes": [_change_json(change) for change in row.changes],
        "brought_as": row.brought_as or None,
    }


def _change_json(change: Change) -> dict[str, object]:
    told = asdict(change)
    before, after = told.pop("images")
    return told | ({"images": {"before": before, "after": after}} if before or after else {})


def _reading(
    mapping: Mapping[str, str], origin: str, saved: Mapping[str, str], images: str
) -> Iterator[str]:
    if origin == "saved":
        yield f"Using the columns chosen before: {_columns(saved)}; --column … to change."
    elif origin == "unfit":
        yield (
            f"The columns chosen before ({_columns(saved)}) are not in this source: it is read as "
            "recognised; --column … to choose."
        )
    if mapping:
        yield f"Columns: {_columns(mapping)}."
    if images:
        there = "" if Path(images).is_dir() else ", which is not there any more"
        yield f"Images are also looked for in {images}{there}."


def _columns(mapping: Mapping[str, str]) -> str:
    return ", ".join(f"{role}={name}" for role, name in mapping.items())


def _fields(fields: Sequence[FieldUse]) -> Iterator[str]:
    kept = [use.path for use in fields if use.kept and not use.role]
    if kept:
        yield f"kept beside the rows: {_paths(kept)}"
    if out := [use.path for use in fields if use.rows and use.left_out == use.rows]:
        yield f"only in rows that cannot be used: {_paths(out)}"
    yield from unused_lines(fields)


def _paths(paths: Iterable[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths)


def unused_lines(fields: Iterable[FieldUse]) -> Iterator[str]:
    """Tell which fields are not used, in how many rows and why, and which columns are empty."""
    fields = list(fields)
    for use in fields:
        if use.lost:
            why = f" ({use.why})" if use.why else ""
            yield f"not used: column `{use.path}` in {counted(use.lost)}{why}"
    if empty := [use.path for use in fields if use.empty]:
        yield f"empty in every row read: {_paths(empty)}"


def _files(files: Sequence[FileGroup]) -> Iterator[str]:
    unread = sum(group.count for group in files if group.unread)
    if unread:
        be = "is" if unread == 1 else "are"
        yield (
            f"{counted(unread, 'data file')} {be} not read, as named here; to import one by itself, "
            "name it as the source:"
        )
    for group in sorted(files, key=lambda group: not group.unread):
        if group.state == "imported":
            continue
        names = ", ".join(group.examples[:SHOWN_FILES])
        names += ", …" if group.count > min(len(group.examples), SHOWN_FILES) else ""
        why = f" ({group.why})" if group.why else ""
        yield f"{group.state}: {counted(group.count, 'file')}{why}: {names}"


def _reasons(reasons: Sequence[ReasonGroup], what: str) -> Iterator[str]:
    for group in reasons:
        lines = ", ".join(map(str, group.lines)) + (", …" if group.count > len(group.lines) else "")
        words = "line" if group.count == 1 else "lines"
        example = f"; for example: {group.example}" if group.example != group.reason else ""
        yield f"{counted(group.count)} {what}: {group.reason} ({words} {lines}{example})"
    if any("folder of the images" in group.reason for group in reasons):
        yield "Name the folder of the images with --images DIR."


def _changed(done: ImportReport) -> Iterator[str]:
    if not done.changed_count:
        return
    be = "is" if done.changed_count == 1 else "are"
    yield (
        f"{counted(done.changed_count)} {be} here under the same id with another content: "
        f"{DONE[done.on_change]}."
    )
    yield from _differing(done.changed, done.changed_count)
    if done.judged:
        yield (
            f"{counted(done.judged)} of them had been given to people to label: labels stay with "
            "the answers they saw; where the question or an image changed the row is flagged."
        )
    if done.on_change == "ask":
        yield "Import again with one of:"
        yield from (f"  --changed {way}  {words}" for way, words in WAYS.items())


def _differing(rows: Sequence[ChangedRow], total: int) -> Iterator[str]:
    for row in rows[:SHOWN_CHANGED]:
        parts = [
            f"{change.what}: {quoted(change.before)} → {quoted(change.after)}"
            for change in row.changes
        ]
        brought = f" (brought in as {row.brought_as})" if row.brought_as else ""
        yield f"  {row.external_id}: {'; '.join(parts)}{brought}"
    if total > SHOWN_CHANGED:
        yield f"  … and {total - SHOWN_CHANGED:,} more (--json)"


def _metadata(done: ImportReport) -> Iterator[str]:
    if not done.metadata:
        return
    if done.on_change == "update":
        yield f"Metadata of {counted(done.metadata)} updated:"
    else:
        yield (
            f"Metadata of {counted(done.metadata)} differs from what is here and was left as it "
            "is; --changed update takes it over:"
        )
    yield from _differing(done.beside, done.metadata)


def _labels(done: ImportReport) -> Iterator[str]:
    from studio.annotation.library.other_workspace_labels import described

    given = done.given_labels
    if done.labels:
        yield f"Labels: {described(done.labels)}."
    elif given.found:
        people = counted(len(given.found), "person", "people")
        yield (
            f"{counted(sum(given.found.values()), 'label')} of {people} left out "
            f"({_people(given.found)}): --labels brings them."
        )
    if given.of_changed:
        yield (
            f"{counted(given.of_changed, 'label')} left out with changed rows: "
            "--changed update or new brings them."
        )
    for name, count in given.refused.items():
        yield (
            f"{counted(count, 'label')} of {name} left out: somebody here has that name. "
            f"--labels-as {shlex.quote(f'{name}={name}')} if it is the same person, or another "
            "name behind the =."
        )


def _people(found: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in found.items())


def _row(row: Row) -> Iterator[str]:
    """Write a row in a few lines."""
    images = f" [{counted(len(row.images), 'image')}]" if row.images else ""
    yield f"- {row.external_id}{images} {quoted(row.question)}"
    verdict = row.meta.get(VERDICT)
    named = [("answer", row.completion), ("chosen", row.chosen), ("rejected", row.rejected)]
    named += [(f"candidate ({verdict})" if verdict else "candidate", one) for one in row.candidates]
    for name, answer in named:
        if answer is not None:
            author = f" ({answer.author})" if answer.author else ""
            yield f"    {name}{author}: {quoted(answer.text)}"
    if row.meta.get(ACCEPTED):
        yield f"    accepted: {', '.join(map(quoted, row.accepted))}"
