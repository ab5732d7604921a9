"""What a check found. Plain values that go to JSON and come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        id: Stable name of the kind of finding, for example `near_duplicates`.
        severity: `error`: these rows cannot or must not be trained on. `warning`: training would
            work, and probably not as meant. `info`: worth knowing.
        rows: Numbers of the rows concerned, ascending: places in the source from 1 or, for a
            dataset of the library, item ids. Empty when it is about the data as a whole.
        message, remedy: What was found, and what to do about it.
        reasons: Row → why, where every row has a reason of its own.
    """

    id: str
    severity: Severity
    rows: list[int]
    message: str
    remedy: str
    reasons: dict[int, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        values = asdict(self)
        if not self.reasons:
            del values["reasons"]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Finding:
        reasons = {int(row): reason for row, reason in values.get("reasons", {}).items()}
        return cls(**{**values, "reasons": reasons})


@dataclass(frozen=True)
class Bin:
    """Rows with at least `start` and fewer than `end` tokens."""

    start: int
    end: int
    rows: int


@dataclass(frozen=True)
class Tokens:
    """Tokens of a row: prompt, expanded images and answer; of a pair, its longer answer.

    Attributes:
        image_share: Image tokens among all tokens, 0 to 1.
        images_median, images_max: Tokens that the images of one row become.
        histogram: Bins of equal width from the shortest row to the longest.
        measured: Image sizes that went through the processor itself; the others follow the
            processor's own formula, which agreed on all of these.
    """

    median: int = 0
    p95: int = 0
    max: int = 0
    image_share: float = 0.0
    images_median: int = 0
    images_max: int = 0
    histogram: list[Bin] = field(default_factory=list)
    measured: int = 0


@dataclass(frozen=True)
class ImageFigures:
    """The distinct images and what the model gets of them.

    Attributes:
        distinct, sizes: Number of different images, and of different image sizes.
        width_median, height_median: Pixels of the originals.
        tiles_median, tiles_max: Tiles an image is cut into; None when the processor has no such
            notion that could be checked.
        seen: Width and height in pixels of what the model gets of an image of the commonest size.
    """

    distinct: int = 0
    sizes: int = 0
    width_median: int = 0
    height_median: int = 0
    tiles_median: int | None = None
    tiles_max: int | None = None
    seen: tuple[int, int] | None = None


@dataclass(frozen=True)
class Truncation:
    """What a maximum length would do. Trainers keep the start of a row.

    Attributes:
        max_length: Tokens; the model's own context when none was asked for, None if unknown.
        asked: Whether somebody asked for it.
        share: Rows it would cut, 0 to 1.
        rows: How many rows it would cut.
        through_images: How many of them it would cut within the image tokens.
    """

    max_length: int | None = None
    asked: bool = False
    share: float = 0.0
    rows: int = 0
    through_images: int = 0


@dataclass(frozen=True)
class LengthBias:
    """Whether the chosen answers are simply the longer ones.

    Attributes:
        pairs: Pairs with both answers.
        chosen_longer: Share of pairs whose chosen answer is strictly longer; None without pairs.
        mean_gap: Mean of (tokens of chosen − tokens of rejected); None without pairs.
    """

    pairs: int = 0
    chosen_longer: float | None = None
    mean_gap: float | None = None


@dataclass(frozen=True)
class SplitCount:
    """A split and the numbers of its rows; `last` is 0 when there are none."""

    name: str
    first: int
    last: int
    rows: int


@dataclass(frozen=True)
class Piece:
    """A part of a row as the model's chat template writes it; `scored`: whether it is learned."""

    text: str
    scored: bool


@dataclass(frozen=True)
class Rendering:
    """A row as the model reads it, images as their placeholders; of a pair, its chosen answer.

    Attributes:
        row: Its number.
    """

    row: int
    pieces: list[Piece]


@dataclass(frozen=True)
class Report:
    """Everything a check found.

    Attributes:
        source: What was checked.
        model: Whose processor counted.
        rows: Rows looked at, those that cannot be read included.
        duplicates: Rows that say again what an earlier row says, exactly or nearly.
        unreadable: Rows that cannot be read.
        numbers: Whether row numbers are places in the source or item ids of the library.
        languages: Share of the rows whose question is in each language (ISO 639 code).
        seconds: How long it took.
        rendering: The first row as the model reads it; None without a model or an answer.
    """

    source: str
    model: str
    rows: int
    findings: list[Finding]
    tokens: Tokens = field(default_factory=Tokens)
    length_bias: LengthBias = field(default_factory=LengthBias)
    duplicates: int = 0
    unreadable: int = 0
    truncation: Truncation = field(default_factory=Truncation)
    images: ImageFigures = field(default_factory=ImageFigures)
    languages: dict[str, float] = field(default_factory=dict)
    splits: list[SplitCount] = field(default_factory=list)
    numbers: Literal["rows", "items"] = "rows"
    seconds: float = 0.0
    rendering: Rendering | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "findings": [finding.to_json() for finding in self.findings]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Report:
        tokens, images = values["tokens"], values["images"]
        seen, rendering = images["seen"], values.get("rendering")
        return cls(
            **{
                **values,
                "findings": [Finding.from_json(one) for one in values["findings"]],
                "tokens": Tokens(
                    **{**tokens, "histogram": [Bin(**b) for b in tokens["histogram"]]}
                ),
                "length_bias": LengthBias(**values["length_bias"]),
                "truncation": Truncation(**values["truncation"]),
                "images": ImageFigures(**{**images, "seen": tuple(seen) if seen else None}),
                "rendering": rendering
                and Rendering(rendering["row"], [Piece(**piece) for piece in rendering["pieces"]]),
                "splits": [SplitCount(**split) for split in values["splits"]],
            }
        )


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings: errors first, then by how many rows are concerned."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), -len(f.rows), f.id))
