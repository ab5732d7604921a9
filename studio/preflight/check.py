"""The check as a whole: one pass over the rows, then what can only be said at the end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Literal

from studio.core.errors import DataError, NotFoundError
from studio.core.paths import Workspace
from studio.data.checked_rows import Entry, NumberedRows
from studio.data.image_store import ImageStore
from studio.data.schema import BadRow, Row
from studio.preflight.checks.answers import EmptyAnswers
from studio.preflight.checks.balance import Balance
from studio.preflight.checks.base import Check, SeenRow
from studio.preflight.checks.language import Languages
from studio.preflight.checks.leakage import Leakage
from studio.preflight.checks.length import length_bias, length_findings
from studio.preflight.checks.repeats import Repeats
from studio.preflight.checks.special_tokens import SpecialTokens
from studio.preflight.checks.unreadable import Unreadable
from studio.preflight.image_fingerprints import Pictures
from studio.preflight.report import (
    Finding,
    ImageFigures,
    Rendering,
    Report,
    SplitCount,
    Tokens,
    by_severity,
)
from studio.preflight.token_summary import shrunk, summarize, truncation_of

if TYPE_CHECKING:
    from studio.models.image_tokens import Expansion, Kind
    from studio.models.row_tokens import RowTokens
    from studio.preflight.checks.template import Template
    from studio.preflight.model_processor import Model

JUDGED_LANGUAGES = 4_000
TELL_EVERY = 0.2  # seconds


@dataclass(frozen=True)
class CheckStep:
    """How far a check is.

    Attributes:
        stage: `rows` are being read, or `images` of all sizes put through the processor.
        total: None when it cannot be known.
    """

    stage: Literal["rows", "images"]
    done: int
    total: int | None


def check_rows(
    rows: NumberedRows, workspace: Workspace, model: Model | None, *, max_length: int | None = None
) -> Generator[CheckStep, None, Report]:
    """Check rows with a model's processor or, without a model, everything but tokens.

    Yields how far it is, a few times a second; returns the report.

    Args:
        max_length: Tokens at which training would cut a row; None: only the model's own limit.

    Raises:
        DataError: The source breaks off.
        ModelError: The processor cannot take the images.
    """
    started = last = time.monotonic()
    run = _Run(Pictures(ImageStore(workspace)), model, rows.total)
    yield CheckStep("rows", 0, rows.total)
    for done, entry in enumerate(rows.entries(), 1):
        run.add(entry)
        if time.monotonic() - last >= TELL_EVERY:
            last = time.monotonic()
            yield CheckStep("rows", done, rows.total)
    counted: list[RowTokens] = []
    if run.counter:
        for done, total in run.counter.expand():
            if time.monotonic() - last >= TELL_EVERY:
                last = time.monotonic()
                yield CheckStep("images", done, total)
        counted = run.counter.rows()
    return run.report(rows, counted, max_length, time.monotonic() - started)


@dataclass
class _Run:
    pictures: Pictures
    model: Model | None
    total: int | None
    bad: Unreadable = field(default_factory=Unreadable)
    numbers: list[int] = field(default_factory=list)
    images: list[tuple[int, ...]] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=dict)
    rendering: Rendering | None = None

    def __post_init__(self) -> None:
        self.counter = self.model.counter() if self.model else None
        self.answers = EmptyAnswers()
        self.repeats = Repeats(self.pictures)
        self.languages = Languages(-(-(self.total or 0) // JUDGED_LANGUAGES))
        self.checks: list[Check] = [
            self.answers,
            self.repeats,
            Leakage(self.pictures),
            Balance(self.pictures.sizes),
            self.languages,
            SpecialTokens(self.model.special_tokens if self.model else []),
        ]
        self.template: Template | None = None
        if self.model:
            from studio.preflight.checks.template import Template

            self.template = Template(self.model)
            self.checks.append(self.template)

    def add(self, entry: Entry) -> None:
        self.splits.setdefault(entry.split, []).append(entry.number)
        if isinstance(entry.row, BadRow):
            if not self.answers.add_damaged(entry.number, entry.row.reason):
                self.bad.add(entry.number, entry.row.reason, entry.row.field)
            return
        try:
            pictures = tuple(self.pictures.add(sha) for sha in entry.row.images)
        except (DataError, NotFoundError) as error:
            self.bad.add(entry.number, error.message, "image")
            return
        self._look(entry, entry.row, pictures)

    def _look(self, entry: Entry, row: Row, pictures: tuple[int, ...]) -> None:
        seen = SeenRow(entry.number, entry.split, row, pictures)
        for check in self.checks:
            check.add(seen)
        if self.template and self.template.refuses(row):
            return
        if self.model and self.rendering is None:
            from studio.preflight.decoded_row import rendering_of

            self.rendering = rendering_of(self.model, entry.number, row)
        if self.counter:
            self.counter.add(row, [self.pictures.sizes[picture] for picture in pictures])
        self.numbers.append(entry.number)
        self.images.append(pictures)

    def report(
        self, rows: NumberedRows, counted: list[RowTokens], max_length: int | None, seconds: float
    ) -> Report:
        paired = [
            (number, (row.chosen, row.rejected))
            for number, row in zip(self.numbers, counted, strict=False)
            if row.chosen and row.rejected
        ]
        pairs = [lengths for _, lengths in paired]
        bias = length_bias(pairs)
        context = self.model.context if self.model else None
        truncation, cuts = truncation_of(counted, self.numbers, max_length, context)
        found = chain(
            self.bad.findings(),
            chain.from_iterable(check.findings() for check in self.checks),
            cuts,
            length_findings(bias, pairs, [number for number, _ in paired]),
            self._shrunk(),
        )
        findings = by_severity(list(found))
        return Report(
            source=rows.source,
            model=self.model.name if self.model else "",
            rows=sum(map(len, self.splits.values())),
            findings=findings,
            tokens=summarize(counted, self.counter.measured) if self.counter else Tokens(),
            length_bias=bias,
            duplicates=self.repeats.count,
            unreadable=len(self.bad),
            truncation=truncation,
            images=self._images(),
            languages=self.languages.shares,
            rendering=self.rendering,
            splits=[
                SplitCount(name, min(numbers), max(numbers), len(numbers))
                for name, numbers in self.splits.items()
            ],
            numbers=rows.numbers,
            seconds=round(seconds, 2),
        )

    def _shrunk(self) -> Iterator[Finding]:
        seen = [found.seen for found in self._expansions().values() if found.seen]
        if seen:
            most = max(width * height for width, height in seen)
            pairs = list(zip(self.numbers, self.images, strict=True))
            yield from shrunk(self.pictures.sizes, pairs, most)

    def _images(self) -> ImageFigures:
        sizes = self.pictures.sizes
        if not sizes:
            return ImageFigures()
        found = self._expansions()
        tiles = [
            found[len(images), sizes[image]].tiles
            for images in self.images
            for image in images
            if found
        ]
        known = [count for count in tiles if count is not None]
        told = bool(known) and len(known) == len(tiles)
        commonest = self.counter.uses.most_common(1) if self.counter else []
        return ImageFigures(
            distinct=len(sizes),
            sizes=len(set(sizes)),
            width_median=int(statistics.median(width for width, _ in sizes)),
            height_median=int(statistics.median(height for _, height in sizes)),
            tiles_median=int(statistics.median(known)) if told else None,
            tiles_max=max(known) if told else None,
            seen=found[commonest[0][0]].seen if commonest else None,
        )

    def _expansions(self) -> dict[Kind, Expansion]:
        return self.counter.found if self.counter else {}
