"""Too few rows, and rows that are too much alike as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from studio.core.plurals import counted
from studio.data.row_variety import ENOUGH_TO_JUDGE, FEW_ROWS, SAME_ANSWER, RepeatedValues
from studio.preflight.checks.base import Check, SeenRow, percent, plain
from studio.preflight.report import Finding

ONE_IMAGE = 0.2
SHORT_SIDE = 28


class Balance(Check):
    """Small data, one answer or one image in too many rows, rows without an image among others."""

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        self._sizes = sizes
        self._rows = 0
        self._answers = RepeatedValues[str]()
        self._uses = RepeatedValues[int]()
        self._no_image: list[int] = []
        self._small: list[int] = []

    def add(self, seen: SeenRow) -> None:
        self._rows += 1
        wanted = seen.row.completion or seen.row.chosen
        if wanted and wanted.text.strip():
            self._answers.add(plain(wanted.text), seen.number)
        if not seen.pictures:
            self._no_image.append(seen.number)
        for picture in set(seen.pictures):
            self._uses.add(picture, seen.number)
        if any(min(self._sizes[picture]) < SHORT_SIDE for picture in seen.pictures):
            self._small.append(seen.number)

    def findings(self) -> Iterator[Finding]:
        yield from self._size()
        yield from self._answer()
        yield from self._images()

    def _size(self) -> Iterator[Finding]:
        if 0 < self._rows < FEW_ROWS:
            yield Finding(
                "little_data",
                "warning",
                [],
                f"Only {counted(self._rows)}: a model learns them by heart before it learns from "
                "them.",
                f"Bring at least {FEW_ROWS} rows; hold some out and watch the evaluation loss.",
            )

    def _answer(self) -> Iterator[Finding]:
        repeated = self._answers.commonest(SAME_ANSWER)
        if repeated is not None:
            text, rows, share = repeated
            yield Finding(
                "one_answer",
                "warning",
                rows,
                f"{percent(share)} of the answers to learn are “{text[:60]}”: "
                "always saying so would look like learning.",
                "Bring rows with other answers, or exclude some of these.",
            )

    def _images(self) -> Iterator[Finding]:
        if self._rows < ENOUGH_TO_JUDGE:
            return
        repeated = self._uses.commonest(ONE_IMAGE, of=self._rows)
        if repeated is not None:
            _, rows, share = repeated
            yield Finding(
                "one_image",
                "warning",
                rows,
                f"One image is in {percent(share)} of the rows.",
                "Bring rows about other images, or exclude some of these; a split by image cannot be even.",
            )
        if self._no_image and len(self._no_image) < self._rows:
            yield Finding(
                "no_image",
                "info",
                self._no_image,
                f"{counted(len(self._no_image))} without an image among rows with one.",
                "Fine when meant so: such rows train the language alone.",
            )
        if self._small:
            yield Finding(
                "tiny_images",
                "warning",
                self._small,
                f"{counted(len(self._small))} with an image less than {SHORT_SIDE} pixels wide or "
                "high: there is little to see, and some models refuse them.",
                "Replace the images, or exclude the rows.",
            )
