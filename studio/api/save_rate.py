"""How fast one person's answers are taken: a bucket of answers for each that fills again in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

CAPACITY = 150
"""Answers at once: what waited in a browser without a connection is taken in one go."""
A_SECOND = 2.0
FORGOTTEN = 1_000  # people; a full bucket is like none


class SaveRate:
    """Buckets by person.

    Args:
        capacity: Answers that are taken at once.
        a_second: Answers that are taken in the long run; nobody reads faster.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        capacity: float = CAPACITY,
        a_second: float = A_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity, self._a_second, self._clock = capacity, a_second, clock
        self._levels: dict[str, tuple[float, float]] = {}

    def wait(self, person: str) -> int:
        """Take one answer out of the bucket; 0, or the seconds until there is one again."""
        now = self._clock()
        level, at = self._levels.get(person, (self._capacity, now))
        level = min(self._capacity, level + (now - at) * self._a_second)
        if level < 1:
            self._levels[person] = (level, now)
            return math.ceil((1 - level) / self._a_second)
        if len(self._levels) > FORGOTTEN:
            self._levels.clear()
        self._levels[person] = (level - 1, now)
        return 0
