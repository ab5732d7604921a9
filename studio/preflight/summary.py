"""From the tokens of all rows to figures and findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from studio.preflight.checks.base import counted, percent
from studio.preflight.report import Bin, Finding, Tokens, Truncation

BINS = 24
SHRUNK = 0.5
ROUND = (1, 2, 5)


class Counted(Protocol):
    """The figures of one row (see `tokens.RowTokens`)."""

    images: int
    images_end: int
    total: int


def summarize(rows: Sequence[Counted], measured: int = 0) -> Tokens:
    """Median, 95th percentile, maximum and histogram of the rows' tokens."""
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
    """At most `BINS` bins of a round equal width."""
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
    """What a maximum length does to the rows; without one, what the model's context does.

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
    def beyond(limit: int, key: str) -> list[int]:
        pairs = zip(numbers, rows, strict=True)
        return [number for number, row in pairs if getattr(row, key) > limit]

    if asked:
        through = beyond(asked, "images_end")
        cut = sorted(set(beyond(asked, "total")) - set(through))
        if through:
            yield Finding(
                "cut_images",
                "error",
                through,
                f"A maximum length of {asked:,} tokens cuts through the image tokens of "
                f"{counted(len(through))}: training on them fails.",
                "Train without a maximum length, or lower the longest edge of the images.",
            )
        if cut:
            yield Finding(
                "cut_answers",
                "warning",
                cut,
                f"A maximum length of {asked:,} tokens cuts the end of {counted(len(cut))} "
                f"({percent(len(cut) / len(rows))}): their answers would be learned without an end.",
                "Train without a maximum length, or exclude the longest rows.",
            )
    long = beyond(context, "total") if context else []
    if long:
        yield Finding(
            "too_long",
            "error",
            long,
            f"{counted(len(long))} longer than the {context:,} tokens the model can read "
            f"(the longest has {max(row.total for row in rows):,}).",
            "Lower the longest edge of the images, or exclude them.",
        )


def shrunk(
    sizes: Sequence[tuple[int, int]], of_rows: Sequence[tuple[int, Sequence[int]]], most: int
) -> Iterator[Finding]:
    """Images of which the model gets less than half the pixels along an edge.

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
