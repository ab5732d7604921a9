"""What every check is given, and what it answers."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from studio.data.schema import Answer, Row
from studio.preflight.report import Finding


@dataclass(frozen=True)
class SeenRow:
    """A row that could be read; `pictures` are the numbers of its images in `Pictures`."""

    number: int
    split: str
    row: Row
    pictures: tuple[int, ...] = ()


class Check(ABC):
    """Looks at the rows one after the other and tells at the end what it found."""

    @abstractmethod
    def add(self, seen: SeenRow) -> None:
        """Look at one row."""

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """Yield what was found in all of them."""


def percent(share: float) -> str:
    """Write a share as `12 %`, and never as `0 %` for something that is there."""
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"


def plain(text: str) -> str:
    """Return the form in which texts are compared: case and spacing do not matter."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def answers_of(row: Row) -> dict[str, Answer]:
    """Return the answers of a row by name: completion, chosen, rejected, candidates."""
    named = {"completion": row.completion, "chosen": row.chosen, "rejected": row.rejected}
    named |= {f"candidate {place}": one for place, one in enumerate(row.candidates, 1)}
    return {name: answer for name, answer in named.items() if answer is not None}
