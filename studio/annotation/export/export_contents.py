"""What a writer of files is given: rows, and pairs with what each person said about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from studio.annotation.labeling.written_answers import AUTHOR as WRITTEN_BY
from studio.annotation.library.row_identity import text_hash
from studio.data.schema import Answer, Row

OWN_META = ("votes", "pair", "written")
"""What the studio itself writes into `Row.meta`; the rest are columns of the source."""


class Images(Protocol):
    """Where originals are found: `ImageStore`."""

    def path(self, sha: str) -> Path: ...


@dataclass(frozen=True)
class JudgedPair:
    """Two answers to one item.

    Attributes:
        row: The item.
        preferred: Place of the answer that the export's rule prefers; None: neither.
        said: What each person says of them, as records of `answer_log`.
    """

    row: Row
    answers: tuple[Answer, Answer]
    preferred: int | None
    said: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Contents:
    """What goes into the files of one export.

    Attributes:
        rows: One each for what is learned; for the shape "answers" one for each pair.
        records: What people said, of `answer_log`.
    """

    name: str
    shape: str
    rows: tuple[Row, ...]
    records: tuple[dict[str, Any], ...] = ()

    @cached_property
    def pairs(self) -> list[JudgedPair]:
        """The rows as pairs, in their order."""
        said = defaultdict(list)
        for record in self.records:
            said[record["pair"]].append(record)
        return [_judged(row, said.get(row.meta.get("pair"), ())) for row in self.rows]


@dataclass(frozen=True)
class ExportFormat:
    """One format that an export can have.

    Attributes:
        title: Its name for people.
        line: What one gets, in one line.
        write: Writes the files into a folder.
        holds: What of `format_losses.THINGS` it has a place for.
        shapes: What it can hold (`preference_export.Shape`).
        version: Version of the other tool's format.
        opening: How the other tool opens it, as Markdown for the README of the export.
        refuses: Says why a row cannot be in it (a key of `label_policies.REASONS`); else "".
    """

    title: str
    line: str
    write: Callable[[Contents, Images, Path], None]
    holds: frozenset[str] = frozenset()
    shapes: tuple[str, ...] = ("preferences", "completions")
    version: str = ""
    opening: str = ""
    refuses: Callable[[Row, Images], str] = field(default=lambda row, images: "")


def source_meta(row: Row) -> dict[str, Any]:
    """Return the columns of the source that are kept beside a row."""
    return {name: value for name, value in row.meta.items() if name not in OWN_META}


def beside(columns: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Join columns of the source with what a format writes; one of the same name gets `source_`."""
    names = {name: f"source_{name}" if name in known else name for name in columns}
    return {**{names[name]: value for name, value in columns.items()}, **known}


def is_written(author: str) -> bool:
    """Return whether a person wrote the answer in the studio: its author tells their name."""
    return author.startswith(WRITTEN_BY)


def without_names(contents: Contents) -> Contents:
    """Put `annotator-1`, `annotator-2` … in the place of people's names; not by the alphabet."""
    known = numbered_people(contents)

    def author(name: str) -> str:
        person = name.removeprefix(WRITTEN_BY)
        return WRITTEN_BY + known[person] if is_written(name) else name

    def answer(given: Answer | None) -> Answer | None:
        return None if given is None else replace(given, author=author(given.author))

    def record(said: dict[str, Any]) -> dict[str, Any]:
        both = [{**one, "author": author(one["author"])} for one in said["answers"]]
        return {**said, "annotator": known[said["annotator"]], "answers": both}

    rows = [
        replace(
            row,
            completion=answer(row.completion),
            chosen=answer(row.chosen),
            rejected=answer(row.rejected),
            candidates=tuple(replace(one, author=author(one.author)) for one in row.candidates),
        )
        for row in contents.rows
    ]
    return replace(contents, rows=tuple(rows), records=tuple(map(record, contents.records)))


def numbered_people(contents: Contents) -> Mapping[str, str]:
    """Number everybody who answered, or wrote an answer: `annotator-1` …."""
    people = {record["annotator"] for record in contents.records}
    answers = [one["author"] for record in contents.records for one in record["answers"]]
    for row in contents.rows:
        given = (row.completion, row.chosen, row.rejected, *row.candidates)
        answers += [answer.author for answer in given if answer is not None]
    people |= {name.removeprefix(WRITTEN_BY) for name in answers if is_written(name)}
    order = sorted(people, key=text_hash)
    return {name: f"annotator-{number}" for number, name in enumerate(order, 1)}


def _judged(row: Row, said: Sequence[dict[str, Any]]) -> JudgedPair:
    if row.chosen is None or row.rejected is None:
        first, second = row.candidates
        return JudgedPair(row, (first, second), None, tuple(said))
    answers = (row.chosen, row.rejected)
    if said:
        shown = [Answer(one["text"], one["author"]) for one in said[0]["answers"]]
        swapped = shown[0].text != row.chosen.text
    else:  # by its text, so that the first is not always the better one
        swapped = text_hash(row.chosen.text) > text_hash(row.rejected.text)
    if swapped:
        answers = (row.rejected, row.chosen)
    return JudgedPair(row, answers, int(swapped), tuple(said))
