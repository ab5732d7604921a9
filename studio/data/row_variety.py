"""Values that many rows share: what makes rows too few, or too much alike, to learn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

FEW_ROWS = 100
"""With fewer, a model learns the rows by heart before it learns from them."""
ENOUGH_TO_JUDGE = 20
SAME_ANSWER = 0.5
"""Share of rows with one answer above which always giving that answer looks like learning."""

Value = TypeVar("Value", bound=Hashable)


@dataclass
class RepeatedValues(Generic[Value]):
    """The numbers of the rows that have each value."""

    rows: dict[Value, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, value: Value, row: int) -> None:
        """Count one row that has this value."""
        self.rows[value].append(row)

    def commonest(
        self, above: float, of: int | None = None
    ) -> tuple[Value, list[int], float] | None:
        """Find the value that more than a share of the rows have.

        Args:
            above: The share, between 0 and 1.
            of: How many rows there are; left out: the rows counted here.

        Returns:
            The value, its rows and their share; None where no value has as many, or where there
            are too few rows to judge.
        """
        total = sum(map(len, self.rows.values())) if of is None else of
        if total < ENOUGH_TO_JUDGE or not self.rows:
            return None
        value, rows = max(self.rows.items(), key=lambda item: len(item[1]))
        return (value, rows, len(rows) / total) if len(rows) > above * total else None
