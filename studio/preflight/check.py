"""The check as a whole: one pass over the rows, then what can only be said at the end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from studio.config.model import ModelConfig
from studio.data.images import ImageStore
from studio.data.schema import BadRow, Row
from studio.errors import DataError, NotFoundError
from studio.paths import Workspace
from studio.preflight.checks.answers import Answers
from studio.preflight.checks.balance import Balance
from studio.preflight.checks.base import Check, Seen
from studio.preflight.checks.language import Languages
from studio.preflight.checks.leakage import Leakage
from studio.preflight.checks.length import length_bias, length_findings
from studio.preflight.checks.repeats import Repeats
from studio.preflight.checks.special import SpecialTokens
from studio.preflight.checks.unreadable import Unreadable
from studio.preflight.pictures import Pictures
from studio.preflight.report import Finding, Images, Report, SplitCount, Tokens, by_severity
from studio.preflight.rows import Entry, Rows
from studio.preflight.summary import shrunk, summarize, truncation_of

if TYPE_CHECKING:
    from studio.preflight.tokens import RowTokens, TokenCounter

JUDGED_LANGUAGES = 4_000
REPORT_EVERY = 0.2
Progress = Callable[[str, int, int | None], None]
"""Called with the stage (`rows`, `images`), how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Model:
    """The processor that counts, and how much its model can read.

    Attributes:
        context: Tokens; None when the model does not say.
    """

    name: str
    counter: TokenCounter
    special_tokens: list[str]
    context: int | None


def open_model(config: ModelConfig) -> Model:
    """Load a model's processor and configuration; no weights. Raises ModelError."""
    from studio.models.source import load_config, load_processor
    from studio.preflight.tokens import TokenCounter

    processor = load_processor(config)
    text = load_config(config).get_text_config()
    return Model(
        config.id,
        TokenCounter(processor),
        list(processor.tokenizer.all_special_tokens),
        getattr(text, "max_position_embeddings", None),
    )


def check_rows(
    rows: Rows,
    workspace: Workspace,
    model: Model | None,
    *,
    max_length: int | None = None,
    on_progress: Progress | None = None,
) -> Report:
    """Check rows with a model's processor or, without a model, everything but tokens.

    Args:
        max_length: Tokens at which training would cut a row; None: only the model's own limit.

    Raises:
        DataError: The source breaks off.
        ModelError: The processor cannot take the images.
    """
    started = time.monotonic()
    run = _Run(Pictures(ImageStore(workspace)), model, rows.total)
    for entry in _reporting(rows, on_progress):
        run.add(entry)
    return run.report(rows, max_length, on_progress, started)


@dataclass
class _Run:
    pictures: Pictures
    model: Model | None
    total: int | None
    bad: Unreadable = field(default_factory=Unreadable)
    numbers: list[int] = field(default_factory=list)
    images: list[tuple[int, ...]] = field(default_factory=list)
    splits: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repeats = Repeats(self.pictures)
        self.languages = Languages(-(-(self.total or 0) // JUDGED_LANGUAGES))
        self.checks: list[Check] = [
            Answers(),
            self.repeats,
            Leakage(self.pictures),
            Balance(self.pictures.sizes),
            self.languages,
            SpecialTokens(self.model.special_tokens if self.model else []),
        ]

    def add(self, entry: Entry) -> None:
        self.splits.setdefault(entry.split, []).append(entry.number)
        if isinstance(entry.row, BadRow):
            self.bad.add(entry.number, entry.row.reason, entry.row.field)
            return
        try:
            pictures = tuple(self.pictures.add(sha) for sha in entry.row.images)
        except (DataError, NotFoundError) as error:
            self.bad.add(entry.number, error.message, "image")
            return
        self._look(entry, entry.row, pictures)

    def _look(self, entry: Entry, row: Row, pictures: tuple[int, ...]) -> None:
        seen = Seen(entry.number, entry.split, row, pictures)
        for check in self.checks:
            check.add(seen)
        if self.model:
            self.model.counter.add(row, [self.pictures.sizes[picture] for picture in pictures])
        self.numbers.append(entry.number)
        self.images.append(pictures)

    def report(
        self, rows: Rows, max_length: int | None, on_progress: Progress | None, started: float
    ) -> Report:
        counted = self._count(on_progress)
        pairs = [(row.chosen, row.rejected) for row in counted if row.chosen and row.rejected]
        bias = length_bias(pairs)
        context = self.model.context if self.model else None
        truncation, cuts = truncation_of(counted, self.numbers, max_length, context)
        found = chain(
            self.bad.findings(),
            chain.from_iterable(check.findings() for check in self.checks),
            cuts,
            length_findings(bias, pairs),
            self._shrunk(),
        )
        findings = by_severity(list(found))
        return Report(
            source=rows.source,
            model=self.model.name if self.model else "",
            rows=len(self.numbers) + len(self.bad),
            findings=findings,
            tokens=summarize(counted, self.model.counter.measured) if self.model else Tokens(),
            length_bias=bias,
            duplicates=self.repeats.count,
            unreadable=len(self.bad),
            truncation=truncation,
            images=self._images(),
            languages=self.languages.shares,
            splits=[_split(name, numbers) for name, numbers in self.splits.items()],
            numbers=rows.numbers,
            seconds=round(time.monotonic() - started, 2),
        )

    def _count(self, on_progress: Progress | None) -> list[RowTokens]:
        if self.model is None:
            return []
        tell = (lambda done, total: on_progress("images", done, total)) if on_progress else None
        return self.model.counter.counted(tell)

    def _shrunk(self) -> Iterator[Finding]:
        seen = [found.seen for found in self._expansions().values() if found.seen]
        if seen:
            most = max(width * height for width, height in seen)
            pairs = list(zip(self.numbers, self.images, strict=True))
            yield from shrunk(self.pictures.sizes, pairs, most)

    def _images(self) -> Images:
        sizes = self.pictures.sizes
        if not sizes:
            return Images()
        found = self._expansions()
        tiles = [
            found[kind].tiles for images in self.images for kind in self._kinds(images) if found
        ]
        known = tiles and None not in tiles
        commonest = self.model.counter.uses.most_common(1) if self.model else []
        return Images(
            distinct=len(sizes),
            sizes=len(set(sizes)),
            width_median=int(statistics.median(width for width, _ in sizes)),
            height_median=int(statistics.median(height for _, height in sizes)),
            tiles_median=int(statistics.median(tiles)) if known else None,
            tiles_max=max(tiles) if known else None,
            seen=found[commonest[0][0]].seen if commonest else None,
        )

    def _kinds(self, images: tuple[int, ...]) -> list[tuple[int, tuple[int, int]]]:
        return [(len(images), self.pictures.sizes[image]) for image in images]

    def _expansions(self):
        return self.model.counter.found if self.model else {}


def _reporting(rows: Rows, on_progress: Progress | None) -> Iterator[Entry]:
    last = time.monotonic()
    for done, entry in enumerate(rows.entries(), 1):
        yield entry
        if on_progress and time.monotonic() - last >= REPORT_EVERY:
            last = time.monotonic()
            on_progress("rows", done, rows.total)


def _split(name: str, numbers: list[int]) -> SplitCount:
    return SplitCount(name, min(numbers), max(numbers), len(numbers))
