"""How a format is declared: what its records look like and what their fields mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.data.record_fields import Record, has_path

USED = "used"
"""What a `read` function may yield beside the roles: path → role of what it read."""


@dataclass(frozen=True)
class Format:
    """One format, recognised by its fields.

    Attributes:
        name: What it is called; `{what}` stands for "preferences", "conversations" …
        needs: Paths that a record must have; `a|b`: one of them.
        example: A record of it; its images are called `a.png` and `b.png`.
        gives: What one record becomes, in a few words.
        uses: Path → role of what is read; empty: columns are guessed by their names.
        read: Makes the roles of a record, of one row each, where paths alone do not say it.
        matches: Asked in addition to `needs`.
        where: The page that documents it.
        also: Datasets and tools that write the same.
    """

    name: str
    needs: tuple[str, ...]
    example: Record
    gives: str
    uses: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Record], Iterable[dict[str, Any]]] | None = None
    matches: Callable[[Record], bool] | None = None
    where: str = ""
    also: tuple[str, ...] = ()

    def fits(self, record: Record) -> bool:
        """Return whether a record has what the format needs."""
        there = all(
            any(has_path(record, path) for path in choice.split("|")) for choice in self.needs
        )
        if not there or self.matches is None:
            return there
        try:
            return self.matches(record)
        except (AttributeError, TypeError, KeyError, IndexError):
            return False  # fields of these names that hold something else
