"""Fewer points for the same curve: peaks and dips stay, and a growing curve is not thinned anew."""

from __future__ import annotations

from dataclasses import dataclass, field

Points = list[tuple[int, float]]


@dataclass
class Thinned:
    """A curve thinned to at most `most` points (4 or more), kept up to date as it grows.

    Points are taken in stretches of equal length, of each the lowest and the highest; when there
    are too many stretches, their length doubles. So a new point costs a look at the last stretch,
    not at the whole curve. The first point and the last stay.
    """

    most: int
    _width: int = 1
    _taken: int = 0
    _last: tuple[int, float] | None = None
    _kept: Points = field(default_factory=list)

    def update(self, points: Points) -> Points:
        """Return the thinned curve; `points` is the whole one, longer than last time or changed."""
        if self._taken > len(points) or (self._taken and points[self._taken - 1] != self._last):
            self._width, self._taken, self._kept = 1, 0, []
        stretches = max(1, (self.most - 2) // 2 - 1)
        while len(points) > self._width * stretches:
            self._width *= 2
            self._taken, self._kept = 0, []
        for start in range(self._taken, len(points) - self._width + 1, self._width):
            self._kept += _extremes(points[start : start + self._width])
            self._taken = start + self._width
        self._last = points[self._taken - 1] if self._taken else None
        ends = {points[0], points[-1], *_extremes(points[self._taken :])}
        return sorted(ends.union(self._kept))


def _extremes(stretch: Points) -> Points:
    if len(stretch) < 2:
        return stretch
    values = [value for _, value in stretch]
    low, high = values.index(min(values)), values.index(max(values))
    return [stretch[index] for index in sorted({low, high})]
