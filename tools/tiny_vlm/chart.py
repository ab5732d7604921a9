"""What a chart shows, as data: its form, its series, and the split it belongs to.

Nothing is drawn here. A chart belongs to exactly one split, decided by a hash of its data, so a
held-out chart cannot turn up in training even by chance.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

COLOURS = ("red", "blue", "green", "yellow", "purple")
SCALE = 6
"""Top of the value axis of bar and line charts; values are integers from 1 to 5."""

TITLES = (
    "Orders per team",
    "Visits per week",
    "Tickets closed",
    "Energy use",
    "Votes received",
    "Units shipped",
    "Survey answers",
    "Hours logged",
)

SPLITS = {
    "train": range(0, 7),
    "samples": range(7, 8),
    "evaluation": range(8, 9),
    "heldout": range(9, 10),
}
BUCKETS = 10
PIE_SHARES = {
    2: ((20, 80), (30, 70), (40, 60)),
    3: ((10, 30, 60), (20, 30, 50)),
    4: ((10, 20, 30, 40),),
}


@dataclass(frozen=True)
class Series:
    """One coloured bar, line, slice or group of dots.

    `values` holds one integer, except for a line, whose points it lists from left to right.
    """

    colour: str
    values: tuple[int, ...]

    @property
    def size(self) -> int:
        """What the series is ranked by: height, last point, share in percent, number of dots."""
        return self.values[-1]


@dataclass(frozen=True)
class Chart:
    """A chart's data, its series in the order of `COLOURS`.

    Sizes within a chart are distinct. `look` seeds whatever does not change the answers
    (background, order of bars and slices, positions of dots).
    """

    form: str
    series: tuple[Series, ...]
    title: str
    look: int

    @property
    def highest(self) -> Series:
        return max(self.series, key=lambda series: series.size)

    @property
    def lowest(self) -> Series:
        return min(self.series, key=lambda series: series.size)

    @property
    def split(self) -> str:
        """The split that owns this chart's data, whatever its title and look."""
        data = f"{self.form}{[(series.colour, series.values) for series in self.series]}"
        bucket = int(hashlib.sha256(data.encode()).hexdigest(), 16) % BUCKETS
        return next(name for name, buckets in SPLITS.items() if bucket in buckets)


def sample_chart(split: str, index: int, form: str | None = None) -> Chart:
    """The `index`-th chart of a split: the same arguments always give the same chart.

    Raises KeyError for a split that is not in `SPLITS` or a form that is not in `FORMS`.
    """
    rng = random.Random(f"{split}-{index}-{list(SPLITS[split])}")
    form = form or rng.choice(tuple(FORMS))
    while True:
        series = tuple(sorted(FORMS[form](rng), key=lambda one: COLOURS.index(one.colour)))
        chart = Chart(form, series, rng.choice(TITLES), rng.getrandbits(32))
        if chart.split == split:
            return chart


def _bars(rng: random.Random) -> tuple[Series, ...]:
    count = rng.randint(2, 4)
    heights = rng.sample(range(1, SCALE), count)
    return _paired(rng.sample(COLOURS, count), heights)


def _lines(rng: random.Random) -> tuple[Series, ...]:
    count = rng.randint(2, 3)
    ends = sorted(rng.sample(range(1, SCALE), count), reverse=True)
    colours = rng.sample(COLOURS, count)
    return tuple(
        Series(colour, _path_to(end, rng)) for colour, end in zip(colours, ends, strict=True)
    )


def _path_to(end: int, rng: random.Random) -> tuple[int, ...]:
    """Four points that clearly rise or fall to `end`."""
    start = rng.choice([value for value in range(1, SCALE) if abs(value - end) >= 2])
    middle = [round(start + (end - start) * part / 3 + rng.uniform(-1, 1)) for part in (1, 2)]
    return (start, *(min(SCALE - 1, max(1, value)) for value in middle), end)


def _slices(rng: random.Random) -> tuple[Series, ...]:
    count = rng.choices((2, 3, 4), weights=(3, 4, 4))[0]
    shares = list(rng.choice(PIE_SHARES[count]))
    rng.shuffle(shares)
    return _paired(rng.sample(COLOURS, count), shares)


def _dots(rng: random.Random) -> tuple[Series, ...]:
    count = rng.randint(2, 3)
    numbers = sorted(rng.sample(range(1, 5), count), reverse=True)
    return _paired(rng.sample(COLOURS, count), numbers)


def _paired(colours: list[str], sizes: list[int]) -> tuple[Series, ...]:
    return tuple(Series(colour, (size,)) for colour, size in zip(colours, sizes, strict=True))


FORMS = {"bar": _bars, "line": _lines, "pie": _slices, "dot": _dots}
