"""Reasons why rows were left out, grouped: the same sentence about other values is one reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from studio.data.schema import BadRow

MOST = 200
FIRST_LINES = 5
OTHER = "other reasons"
_VALUES = re.compile(
    r"""
    (?:(?<=\s)|^)(?:'[^']*'|"[^"]*")(?=[\s.,;:)?!]|$)   # quoted
    | “[^”]*” | ‘[^’]*’ | «[^»]*» | `[^`]*`
    | \b\S+/\S+\b                                        # paths and addresses
    | \b[\w-]+\.(?:png|jpe?g|webp|gif|bmp|tiff?|svg|json[l]?|csv|tsv|txt|parquet)\b
    | (?<![\w.])-?\d[\d,.]*(?![\w])                      # numbers
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class ReasonGroup:
    """Rows left out for the same reason.

    Attributes:
        reason: The reason with `…` for the values in it.
        lines: The first of their lines.
        example: One of them in full.
    """

    reason: str
    count: int
    lines: tuple[int, ...]
    example: str


class ReasonGroups:
    """Groups bad rows one by one."""

    def __init__(self) -> None:
        self._groups: dict[str, ReasonGroup] = {}

    def add(self, row: BadRow) -> None:
        """Count one more row."""
        reason = blanked(row.reason)
        if reason not in self._groups and len(self._groups) >= MOST:
            reason = OTHER
        known = self._groups.get(reason)
        if known is None:
            self._groups[reason] = ReasonGroup(reason, 1, (row.line,), row.reason)
            return
        lines = known.lines
        if len(lines) < FIRST_LINES:
            lines = (*lines, row.line)
        self._groups[reason] = replace(known, count=known.count + 1, lines=lines)

    @property
    def groups(self) -> list[ReasonGroup]:
        """The groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: -group.count)


def grouped(rows: list[BadRow]) -> list[ReasonGroup]:
    """Group bad rows by their reasons, the largest group first."""
    groups = ReasonGroups()
    for row in rows:
        groups.add(row)
    return groups.groups


def blanked(reason: str) -> str:
    """Put `…` for the values in a reason."""
    return _VALUES.sub("…", reason)
