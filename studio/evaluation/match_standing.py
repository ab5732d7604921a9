"""How a match stands: who wins, how sure that is, and whether to go on judging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from studio.core.plurals import counted
from studio.evaluation.bradley_terry import Contestant, bradley_terry
from studio.evaluation.match import Match
from studio.evaluation.win_rate import Vote, WinRate, win_rate, win_rates_by_person
from studio.evaluation.win_sentences import ranking_sentence, win_sentence


@dataclass(frozen=True)
class PairStanding:
    """Two contestants.

    Attributes:
        rate: Of the rows that were judged, in which the two answered differently.
        alike: Rows that both answered alike, of `rows` that both answered.
        value, low, high: The win rate over all rows, those answered alike being ties: what was
            judged stands for the rest, so the interval holds at every look as `rate`'s does.
        by_person: The same by the votes of each person.
    """

    rate: WinRate
    alike: int
    rows: int
    value: float | None
    low: float
    high: float
    by_person: dict[str, WinRate] = field(default_factory=dict)
    sentence: str = ""


@dataclass(frozen=True)
class Standing:
    """A match as it stands.

    Attributes:
        judged, waiting: Pairs with and without a vote; `removed` are no longer in the library.
        not_blind: Votes that do not count: who gave them had been shown who wrote what.
        judges: Votes of programs (AI judges), which do not count among people's.
        ranking: Of more than two contestants, the strongest first.
        sentences: What it comes to, in words.
    """

    pairs: tuple[PairStanding, ...]
    judged: int
    waiting: int
    removed: int = 0
    not_blind: int = 0
    judges: int = 0
    ranking: tuple[Contestant, ...] = ()
    sentences: tuple[str, ...] = ()

    @property
    def stop(self) -> bool:
        """Whether everything there was to tell is told."""
        return bool(self.pairs) and all(pair.rate.stop for pair in self.pairs)

    def to_json(self) -> dict[str, Any]:
        """Return the standing as plain values."""
        return {**asdict(self), "stop": self.stop}


def standing_of(
    match: Match, votes: Sequence[Vote], *, removed: int = 0, not_blind: int = 0, judges: int = 0
) -> Standing:
    """Count votes into a standing.

    Args:
        votes: Of people who judged blind.
        removed: Pairs of the match that are no longer in the library.
    """
    pairs = tuple(_between(match, votes, first, second) for first, second in match.compared)
    judged = len({(vote.row, frozenset(vote.contestants)) for vote in votes})
    waiting = max(0, len(match.pairs) - judged - removed)
    several = len(match.contestants) > 2
    ranking = tuple(bradley_terry([*votes, *_ties(match)])) if several and votes else ()
    said = [pair.sentence for pair in pairs]
    if ranking:
        said.insert(0, ranking_sentence(ranking))
    if not match.pairs:
        said = ["All answers are alike: there is nothing to judge."]
    return Standing(pairs, judged, waiting, removed, not_blind, judges, ranking, tuple(said))


def _between(match: Match, votes: Sequence[Vote], first: str, second: str) -> PairStanding:
    rate = win_rate(votes, first, second)
    two = {first, second}
    alike = sum(set(pair.contestants) == two for pair in match.alike)
    differ = sum(set(pair.contestants) == two for pair in match.pairs)
    rows = alike + differ
    share = alike / rows if rows else 0.0

    def over_all(value: float) -> float:
        return share / 2 + (1 - share) * value

    sentence = win_sentence(rate)
    if alike:
        sentence += f" {alike:,} of {counted(rows, 'row')} got the same answer of both."
    return PairStanding(
        rate=rate,
        alike=alike,
        rows=rows,
        value=None if rate.value is None else over_all(rate.value),
        low=over_all(rate.low),
        high=over_all(rate.high),
        by_person=win_rates_by_person(votes, first, second),
        sentence=sentence,
    )


def _ties(match: Match) -> list[Vote]:
    """Pairs that were answered alike, as votes of nobody."""
    return [Vote(pair.row, "", pair.contestants) for pair in match.alike]
