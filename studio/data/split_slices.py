"""Splits and their slices: `train`, `validation`, `train[:10%]`, `train[100:200]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.core.errors import DataError

EVALUATION_NAMES = ("evaluation", "validation", "val", "valid", "eval", "dev", "test")
_EDGE = r"(-?\d+(?:\.\d+)?%?)?"
_SPLIT = re.compile(rf"\s*([\w.+-]+)\s*(?:\[\s*{_EDGE}\s*:\s*{_EDGE}\s*\])?\s*")


@dataclass(frozen=True)
class Split:
    """A split name with optional edges, each a row number or a percentage ("10%")."""

    name: str
    start: str = ""
    stop: str = ""

    def bounds(self, count: Callable[[], int]) -> tuple[int, int | None]:
        """Return the first row and the one after the last; `count` is asked only if an edge needs
        it.
        """
        start = _edge(self.start, count) if self.start else 0
        return start, _edge(self.stop, count) if self.stop else None


def parse_split(text: str, field: str = "data.train") -> Split:
    """Read a split such as `train[:10%]`. Raises DataError naming `field`."""
    match = _SPLIT.fullmatch(text)
    if not match:
        raise DataError(
            f"{text!r} is no split.",
            remedy='Write a name, or a name with a slice such as "train[:10%]" or "train[10:20]".',
            field=field,
        )
    return Split(match[1], match[2] or "", match[3] or "")


def choose_split(wanted: str | None, available: Sequence[str], field: str = "data.train") -> str:
    """Choose the available split meant by `wanted`; None takes `train`, else the first.

    `evaluation`, `validation`, `val`, `test`, … stand for one another when only one is there.
    Raises DataError naming the splits there are.
    """
    if wanted is None:
        return "train" if "train" in available else available[0]
    if wanted in available:
        return wanted
    if wanted in EVALUATION_NAMES:
        for name in EVALUATION_NAMES:
            if name in available:
                return name
    remedy = f"There is: {', '.join(available)}."
    if wanted in EVALUATION_NAMES and "train" in available:
        remedy += ' Write "10%" to hold out a tenth of the training rows, by image.'
    raise DataError(f"There is no split {wanted!r}.", remedy=remedy, field=field)


def _edge(text: str, count: Callable[[], int]) -> int:
    if text.endswith("%"):
        total = count()
        edge = round(float(text[:-1]) / 100 * total)
    else:
        edge = int(float(text))
        total = count() if edge < 0 else 0
    return max(0, edge + total) if edge < 0 else edge
