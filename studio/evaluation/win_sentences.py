"""Win rates and rankings as one plain sentence each, for the page and the command."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.evaluation.bradley_terry import Contestant
from studio.evaluation.win_rate import MARGIN, WinRate


def win_sentence(rate: WinRate) -> str:
    """Return what the votes say so far and whether to go on."""
    if rate.value is None:
        return f"Nobody has judged {rate.second} against {rate.first} yet."
    seen = (
        f"{rate.second} wins {_percent(rate.value)} against {rate.first} "
        f"(95 % sequence {_percent(rate.low)} to {_percent(rate.high)}, {_rows(rate.rows)})"
    )
    if rate.better:
        return f"{seen}; stop now: {rate.better} is better."
    if rate.stop == "equal":
        return f"{seen}; stop now: they differ by less than {MARGIN * 100:.0f} points."
    more = f"{_rounded(rate.votes_needed)} more {_votes(rate.votes_needed)}"
    told = f"to tell {_percent(0.5 + MARGIN)} from chance"
    if rate.votes_at_this_rate is None:
        return f"{seen}; {more} {told}."
    likely = f"{_rounded(rate.votes_at_this_rate)} {_votes(rate.votes_at_this_rate)}"
    return f"{seen}; {more} {told}, {likely} if it stays like this."


def ranking_sentence(contestants: Sequence[Contestant]) -> str:
    """Return who leads among several and how sure that is."""
    if not contestants:
        return "Nobody has judged yet."
    first = contestants[0]
    if len(contestants) > 1 and first.best < 0.95:
        rivals = [one.name for one in contestants[1:] if one.best >= 0.05]
        if rivals:
            return f"{first.name} leads, but {_either(rivals)} may be as good."
        return f"{first.name} leads."
    return f"{first.name} is the best of {len(contestants)}."


def _percent(share: float) -> str:
    points = round(share * 100)
    if points in (0, 100) and share not in (0, 1):
        return f"{min(max(share * 100, 0.1), 99.9):.1f} %"
    return f"{points} %"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _votes(count: int) -> str:
    return "vote" if count == 1 else "votes"


def _rounded(count: int) -> str:
    """A number with two digits that count: it is an estimate."""
    if count < 100:
        return str(count)
    unit = 10 ** (int(math.log10(count)) - 1)
    return f"{math.ceil(count / unit) * unit:,}"


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
