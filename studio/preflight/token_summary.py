"""From the tokens of all rows to figures and findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from studio.core.plurals import counted
from studio.preflight.checks.base import percent
from studio.preflight.report import Bin, Finding, Tokens, Truncation

BINS = 24
SHRUNK = 0.5
ROUND = (1, 2, 5)


class Counted(Protocol):
    """The figures of one row (see `tokens.RowTokens`)."""

    @property
    def images(self) -> int: ...
    @property
    def images_end(self) -> int: ...
    @property
    def total(self) -> int: ...


def summarize(rows: Sequence[Counted], measured: int = 0) -> Tokens:
    """Return median, 95th percentile, maximum and histogram of the rows' tokens."""
    if not rows:
        return Tokens()
    totals = np.array([row.total for row in rows])
    images = np.array([row.images for row in rows])
    return Tokens(
        median=int(np.median(totals)),
        p95=int(np.percentile(totals, 95)),
        max=int(totals.max()),
        image_share=round(float(images.sum() / max(1, totals.sum())), 4),
        images_median=int(np.median(images)),
        images_max=int(images.max()),
        histogram=histogram(totals),
        measured=measured,
    )


def histogram(totals: np.ndarray) -> list[Bin]:
    """Return at most `BINS` bins of a round equal width."""
    low, high = int(totals.min()), int(totals.max())
    width = _round_up((high - low + 1) / BINS)
    start = low // width * width
    edges = np.arange(start, high + width + 1, width)
    counts, _ = np.histogram(totals, edges)
    return [
        Bin(int(edge), int(edge + width), int(count))
        for edge, count in zip(edges, counts, strict=False)
    ]


def truncation_of(
    rows: Sequence[Counted], numbers: Sequence[int], asked: int | None, context: int | None
) -> tuple[Truncation, list[Finding]]:
    """Return what a maximum length does to the rows; without one, what the model's context does.

    Args:
        numbers: The rows' numbers.
        asked: Maximum length somebody asked for.
        context: Tokens the model can read; None when it does not say.
    """
    found = list(_cuts(rows, numbers, asked, context))
    limit = asked or context
    if limit is None or not rows:
        return Truncation(limit, asked is not None), found
    cut = [row for row in rows if row.total > limit]
    through = sum(row.images_end > limit for row in cut)
    share = round(len(cut) / len(rows), 4)
    return Truncation(limit, asked is not None, share, len(cut), through), found


def _cuts(
    rows: Sequence[Counted], numbers: Sequence[int], asked: int | None, context: int | None
) -> Iterator[Finding]:
    limit = min((n for n in (asked, context) if n), default=None)
    if limit is None:
        return
    long = {number: row for number, row in zip(numbers, rows, strict=True) if row.total > limit}
    if not long:
        return
    whose = "the model can read" if limit == context else "of the maximum length"
    full = sum(row.images_end > limit for row in long.values())
    inside = f"; in {counted(full)} the images alone fill them" if full else ""
    yield Finding(
        "too_long",
        "error" if limit == context else "warning",
        sorted(long),
        f"{counted(len(long))} ({percent(len(long) / len(rows))}) longer than the {limit:,} tokens "
        f"{whose} (the longest has {max(row.total for row in long.values()):,}{inside}). Training "
        "leaves them out, unless data.too_long says otherwise.",
        _shorter(list(long.values())),
        {number: f"{row.total:,} tokens" for number, row in sorted(long.items())},
    )


def _shorter(long: Sequence[Counted]) -> str:
    """What makes these rows shorter: fewer pixels where images fill them, else less text."""
    images = sum(2 * row.images > row.total for row in long)
    ways = ["lower the longest edge of the images, or use fewer of them"] if images else []
    ways += ["shorten the texts"] if images < len(long) else []
    text = "; ".join(ways)
    return f"{text[0].upper()}{text[1:]}, or leave the rows out."


def shrunk(
    sizes: Sequence[tuple[int, int]], of_rows: Sequence[tuple[int, Sequence[int]]], most: int
) -> Iterator[Finding]:
    """Find images of which the model gets less than half the pixels along an edge.

    Args:
        sizes: Width and height of every image.
        of_rows: Row number and its images.
        most: The most pixels the model gets of one image.
    """
    kept = [min(1.0, (most / max(1, width * height)) ** 0.5) for width, height in sizes]
    rows = [number for number, images in of_rows if any(kept[image] < SHRUNK for image in images)]
    if rows:
        worst = min(range(len(sizes)), key=kept.__getitem__)
        width, height = sizes[worst]
        yield Finding(
            "shrunk_images",
            "info",
            rows,
            f"{counted(len(rows))} with an image that the model sees at less than half its "
            f"resolution (the largest, {width:,} × {height:,}, at about "
            f"{percent(kept[worst])} of its edge). Small print in it is lost.",
            "Crop to what matters, or allow more pixels where the model can.",
        )


def _round_up(width: float) -> int:
    """The next number of the form 1, 2 or 5 times a power of ten."""
    scale = 1
    while True:
        for step in ROUND:
            if step * scale >= width:
                return step * scale
        scale *= 10
