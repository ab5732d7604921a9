"""What is said of a source before and after it is imported: nothing of it is left untold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from studio.annotation.library.dataset_next_steps import NextSteps
from studio.annotation.library.imported_labels import GivenLabels
from studio.annotation.library.other_workspace_labels import Brought
from studio.annotation.library.rejection_reasons import ReasonGroup
from studio.annotation.library.row_differences import ChangedRow, Decision
from studio.annotation.library.saved_columns import Origin
from studio.data.schema import BadRow, FieldUse, FileGroup, Row
from studio.data.sources.file_census import OTHER_SPLIT

MOST_NAMES = 5


@dataclass(frozen=True)
class SourcePreview:
    """What a source holds, before anything is brought in.

    Attributes:
        mapping: Role → column, as it would be read.
        rows: Number of rows of the chosen split, if known.
        labels: How many labels of each annotator could come along; of a file, those of the rows
            that were read. None for a source without any.
        fields: What became of each column and nested field of the rows that were read.
        files: What becomes of the files of a folder or an archive.
        reasons: Why rows that were read cannot be used.
        further: Rows further down that cannot be read, whose images were not looked for yet;
            `further_reasons` says why.
        notes: What else was noticed, a sentence each.
        columns_from: Where the mapping comes from, when somebody chose it.
    """

    label: str
    recognised_as: str
    columns: tuple[str, ...]
    mapping: dict[str, str]
    splits: tuple[str, ...]
    rows: int | None
    first: list[Row]
    bad: list[BadRow]
    labels: dict[str, int] | None = None
    fields: list[FieldUse] = field(default_factory=list)
    files: list[FileGroup] = field(default_factory=list)
    reasons: list[ReasonGroup] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns_from: Origin = ""
    columns_saved: dict[str, str] = field(default_factory=dict)
    images: str = ""
    further: list[BadRow] = field(default_factory=list)
    further_reasons: list[ReasonGroup] = field(default_factory=list)


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        dataset: The name the rows are under.
        extended: Rows that were there and got new answers.
        identical: Rows whose answers all say the same: brought in, but no pair.
        bad: Rows left out, with reasons (the first of them).
        left_out: A CSV file with the lines and reasons of all of them; None when there are none.
        number: Number of the import in this workspace.
        labels: What came of labels; None when they were not asked for.
        on_change: What was decided about rows that are there with another content.
        changed: The first of those rows; `changed_count` is how many there are.
        metadata: Rows that are there as they are, with other fields kept beside them.
        beside: The first of them, with the fields that differ.
        judged: Changed rows that people had been given to label; flagged where the question changed.
        given_labels: Labels of another tool that came with the rows.
        fields: What became of each column and nested field.
        files: What became of each file of a folder or an archive.
        reasons: Why rows were left out, grouped.
        notes: What else was noticed, a sentence each.
        mapping: Role → column, as it was read.
        columns_from: Where it comes from, when somebody chose it.
        columns_saved: What was kept with the dataset from an earlier import.
        images: Where the images were looked for, if not beside the data.
        next: What can be done with the dataset now.
    """

    dataset: str
    recognised_as: str
    added: int = 0
    unchanged: int = 0
    extended: int = 0
    identical: int = 0
    bad_count: int = 0
    bad: list[BadRow] = field(default_factory=list)
    left_out: Path | None = None
    number: int = 0
    labels: Brought | None = None
    on_change: Decision = "ask"
    changed: list[ChangedRow] = field(default_factory=list)
    changed_count: int = 0
    metadata: int = 0
    beside: list[ChangedRow] = field(default_factory=list)
    judged: int = 0
    given_labels: GivenLabels = field(default_factory=GivenLabels)
    fields: list[FieldUse] = field(default_factory=list)
    files: list[FileGroup] = field(default_factory=list)
    reasons: list[ReasonGroup] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    columns_from: Origin = ""
    columns_saved: dict[str, str] = field(default_factory=dict)
    images: str = ""
    next: NextSteps | None = None

    @property
    def asks(self) -> bool:
        """Whether rows or their fields differ from what is here, and nobody has decided yet."""
        return self.on_change == "ask" and bool(self.changed_count or self.metadata)


def joined_files(of_splits: Sequence[Sequence[FileGroup]]) -> list[FileGroup]:
    """Tell the files of a folder once: imported is what any of its splits needed.

    Every split tells of all files, and what another split needs is ignored in its eyes.
    """
    if len(of_splits) < 2:
        return list(of_splits[0]) if of_splits else []
    left = [
        {
            group.fate: group
            for group in groups
            if group.state != "imported" and group.why != OTHER_SPLIT
        }
        for groups in of_splits
    ]
    same = set(left[0]).intersection(*left[1:])
    unused = [
        min((groups[key] for groups in left), key=lambda group: group.count)
        for key in left[0]
        if key in same
    ]
    total = sum(group.count for group in of_splits[0])
    used = [group for groups in of_splits for group in groups if group.state == "imported"]
    count = total - sum(group.count for group in unused)
    if not used or count <= 0:
        return unused
    names = dict.fromkeys(name for group in used for name in group.examples)
    return [FileGroup("imported", used[0].why, count, tuple(names)[:MOST_NAMES]), *unused]
