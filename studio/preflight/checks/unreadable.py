"""Rows that cannot be read, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from studio.core.plurals import counted
from studio.preflight.report import Finding

NAMED_REASONS = 3
IMAGE_WORDS = ("image", "picture")


class Unreadable:
    """Collects damaged rows; image trouble and everything else are two findings."""

    def __init__(self) -> None:
        self._images: dict[int, str] = {}
        self._others: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._images) + len(self._others)

    def add(self, number: int, reason: str, field: str = "") -> None:
        """A row that could not be read."""
        about_image = any(word in f"{field} {reason}".lower() for word in IMAGE_WORDS)
        (self._images if about_image else self._others)[number] = reason.rstrip(".")

    def findings(self) -> Iterator[Finding]:
        if self._images:
            yield Finding(
                "unreadable_images",
                "error",
                sorted(self._images),
                f"{counted(len(self._images))} whose image cannot be used: "
                f"{_commonest(self._images)}.",
                "Replace these images, or leave the rows out. An import leaves them out by itself.",
                self._images,
            )
        if self._others:
            yield Finding(
                "unreadable_rows",
                "error",
                sorted(self._others),
                f"{counted(len(self._others))} that cannot be read: {_commonest(self._others)}.",
                "Correct these rows in the source. An import leaves them out by itself.",
                self._others,
            )


def _commonest(reasons: dict[int, str]) -> str:
    counts = Counter(reasons.values()).most_common()
    said = [f"{reason} ({count:,})" if len(counts) > 1 else reason for reason, count in counts]
    more = len(said) - NAMED_REASONS
    return "; ".join(said[:NAMED_REASONS]) + (f"; and {more} other reasons" if more > 0 else "")
