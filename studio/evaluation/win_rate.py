"""The win rate of one contestant over another, with an interval that holds at every look.

Ties by one rule: a tie is half a win for each. `Both bad` and near-identical answers are ties. The
unit is the row: where several people judged a row, their votes are averaged, for they see the same
two answers. The interval is a confidence sequence: one may look after every vote and stop when one
likes. It is exact where each row is judged once; the page says so where more people judge a row.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from studio.evaluation.confidence_sequence import ALPHA, confidence_sequence, log_capital

MARGIN = 0.05
"""How far from one half a win rate is worth telling from chance: 55 %."""

POWER = 0.8
_MOST_VOTES = 100_000
_CHANCE = 0.5

Stop = Literal["", "first", "second", "equal"]


@dataclass(frozen=True)
class Vote:
    """One person's judgement of two answers to a row.

    Attributes:
        contestants: The two whose answers were shown, in any order.
        winner: One of them; None for a tie.
    """

    row: str
    person: str
    contestants: tuple[str, str]
    winner: str | None = None


@dataclass(frozen=True)
class WinRate:
    """How often the second contestant wins against the first.

    Attributes:
        value: Its win rate, a tie being half a win; None without votes.
        low, high: Ends of the 95 % confidence sequence.
        wins, ties, losses: Votes for the second, for none, for the first.
        rows: Rows that were judged: the interval counts each once.
        stop: Who is better, when that is told: `first` or `second`; `equal` when every win rate
            outside 45 to 55 % is excluded; empty while more votes are needed.
        votes_needed: How many more rows tell a win rate of 55 % of the one ahead from chance, four
            times in five; 0 when there is nothing left to tell.
        votes_at_this_rate: The same if the rows to come go as those so far; None where these are
            nearer to chance than 55 %.
    """

    first: str
    second: str
    value: float | None
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    rows: int
    stop: Stop
    votes_needed: int
    votes_at_this_rate: int | None

    @property
    def votes(self) -> int:
        """All votes."""
        return self.wins + self.ties + self.losses

    @property
    def better(self) -> str | None:
        """The contestant that is better, when that is told."""
        return {"first": self.first, "second": self.second}.get(self.stop)


def win_rate(votes: Iterable[Vote], first: str, second: str) -> WinRate:
    """Compute the win rate of `second` over `first` from the votes between these two."""
    between = [vote for vote in votes if set(vote.contestants) == {first, second}]
    shares = [_share(vote, second) for vote in between]
    by_row: dict[str, list[float]] = defaultdict(list)
    for vote, share in zip(between, shares, strict=True):
        by_row[vote.row].append(share)
    means = [math.fsum(given) / len(given) for given in by_row.values()]
    values, counts = np.unique(means, return_counts=True)
    low, high = confidence_sequence(values, counts)
    stop = _stop(low, high)
    value = math.fsum(means) / len(means) if means else None
    needed, at_this_rate = (0, None) if stop else _votes_needed(means)
    return WinRate(
        first=first,
        second=second,
        value=value,
        low=low,
        high=high,
        wins=shares.count(1.0),
        ties=shares.count(0.5),
        losses=shares.count(0.0),
        rows=len(means),
        stop=stop,
        votes_needed=needed,
        votes_at_this_rate=at_this_rate,
    )


def win_rates_by_person(votes: Iterable[Vote], first: str, second: str) -> dict[str, WinRate]:
    """Compute the win rate by the votes of each person, the one with most votes first."""
    by_person: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_person[vote.person].append(vote)
    rates = {person: win_rate(given, first, second) for person, given in by_person.items()}
    voted = {person: rate for person, rate in rates.items() if rate.votes}
    return dict(sorted(voted.items(), key=lambda item: (-item[1].votes, item[0])))


def votes_to_tell(
    rate: float = _CHANCE + MARGIN, *, ties: float = 0.0, seen: Mapping[float, float] | None = None
) -> int:
    """Return how many further votes tell a win rate from chance four times in five.

    Args:
        rate: The true win rate, above one half.
        ties: Share of votes that are ties.
        seen: Votes so far, value to number.
    """
    seen = dict(seen or {})
    values = np.array(sorted({0.0, 0.5, 1.0, *seen}))
    before = np.array([seen.get(value, 0.0) for value in values])
    won, lost = rate - ties / 2, 1 - rate - ties / 2
    if min(won, lost) < 0:
        won, ties, lost = rate, 0.0, 1 - rate
    spread = math.sqrt(max(won + ties / 4 - rate**2, 0.0))
    # Four times in five the votes turn out at least this many wins short of the mean or better.
    quantile = -_normal_quantile(1 - POWER)

    def told(more: int) -> bool:
        short = min(quantile * spread * math.sqrt(more), won * more)
        added = {0.0: lost * more + short, 0.5: ties * more, 1.0: won * more - short}
        counts = before + np.array([added.get(value, 0.0) for value in values])
        ahead = float(counts @ values) > counts.sum() / 2
        return bool(ahead and log_capital(values, counts, _CHANCE) >= math.log(1 / ALPHA))

    return _least(told)


def _votes_needed(means: Sequence[float]) -> tuple[int, int | None]:
    """Further rows at 55 % for the one ahead, and at the rate so far."""
    ahead = math.fsum(means) >= len(means) / 2
    values, counts = np.unique([mean if ahead else 1 - mean for mean in means], return_counts=True)
    seen = dict(zip(values.tolist(), counts.tolist(), strict=True))
    ties = seen.get(0.5, 0) / len(means) if means else 0.0
    rate = float(np.average(values, weights=counts)) if means else 0.0
    at_this_rate = votes_to_tell(rate, ties=ties, seen=seen) if rate > _CHANCE + MARGIN else None
    return votes_to_tell(ties=ties, seen=seen), at_this_rate


def _share(vote: Vote, second: str) -> float:
    return 0.5 if vote.winner is None else float(vote.winner == second)


def _stop(low: float, high: float) -> Stop:
    if low > _CHANCE:
        return "second"
    if high < _CHANCE:
        return "first"
    return "equal" if low > _CHANCE - MARGIN and high < _CHANCE + MARGIN else ""


def _least(told: Callable[[int], bool]) -> int:
    """The smallest number that tells, or the most that is tried."""
    high = 1
    while high < _MOST_VOTES and not told(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if told(middle) else (middle, high)
    return min(high, _MOST_VOTES)


def _normal_quantile(share: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(share))
