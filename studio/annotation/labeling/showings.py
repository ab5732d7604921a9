"""Showings: what a page is sent of a pair, and how the answer to it is read.

A page speaks of left and right only. It knows a pair by a number made for one person, another one
for the second showing, so that neither the order of pairs nor that of answers tells anything: not
which answer the source preferred, not that a pair is gold, not that it was shown before.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, fields
from functools import cached_property

from sqlalchemy import Connection, select

from studio.annotation.database.tables import Secret
from studio.annotation.records import (
    LabelEvent,
    PairCard,
    PairContent,
    Showing,
    ShownAnswer,
    ShownSide,
    Side,
    SideAnswer,
    SideSpan,
    Span,
    StandingAnswer,
    details_of,
)
from studio.core.errors import InputError, NotFoundError

SECRET = select(Secret.value).where(Secret.name == "showings").scalar_subquery()
HALF_BITS, ROUNDS = 26, 4
HALF = (1 << HALF_BITS) - 1
HIGHEST = 1 << (2 * HALF_BITS)
"""Handles are 1 to this, so that they are whole numbers in a browser."""
LAST_PAIR = HIGHEST // 2 - 1
LAST_ID = 2**31 - 1
"""The highest number that a column of ids holds; PostgreSQL refuses to look for a higher one."""


@dataclass(frozen=True)
class Viewer:
    """Somebody for whom ids and sides are made.

    Args:
        secret: The database's own.
        name: The person's.
    """

    secret: str
    name: str

    def handle(self, number: int, repeat: bool = False) -> int:
        """Return the number by which this person's pages know a pair, or its second showing.

        A Feistel network: every number has one handle and every handle one number.
        """
        left, right = divmod(2 * number + repeat, HALF + 1)
        for turn in range(ROUNDS):
            left, right = right, left ^ self._mixed(turn, right)
        return (left << HALF_BITS) + right + 1

    def number(self, handle: int) -> tuple[int, bool]:
        """Find the pair of a handle and which showing it is; a foreign handle gives any number."""
        left, right = divmod((handle - 1) % HIGHEST, HALF + 1)
        for turn in reversed(range(ROUNDS)):
            left, right = right ^ self._mixed(turn, left), left
        number, repeat = divmod((left << HALF_BITS) + right, 2)
        return number, bool(repeat)

    def showing(self, pair: int, repeat: bool, left_id: int) -> str:
        """Make the token of a showing with the candidate `left_id` on the left."""
        return self._digest(f"showing:{pair}:{int(repeat)}:{left_id}").hex()[:32]

    def base(self, pair: int, repeat: bool) -> int:
        """Return what is added to versions, so that none tells how often a pair was answered."""
        return int.from_bytes(self._digest(f"version:{pair}:{int(repeat)}")[:3])

    def left_is_first(self, pair: int) -> bool:
        """Toss a fair, repeatable coin: is the pair's first candidate shown on the left?"""
        return self._digest(f"side:{pair}")[0] % 2 == 0

    def draw(self, what: str) -> float:
        """Draw a repeatable number from 0 to 1 for `what`."""
        return int.from_bytes(self._digest(f"draw:{what}")[:6]) / 256**6

    @cached_property
    def _key(self) -> bytes:
        name = self.name.encode("utf-8", "surrogatepass")
        return hmac.digest(self.secret.encode(), name, hashlib.sha256)

    def _digest(self, what: str) -> bytes:
        return hmac.digest(self._key, what.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _mixed(self, turn: int, half: int) -> int:
        return int.from_bytes(self._digest(f"handle:{turn}:{half}")[:4]) & HALF


def viewer(connection: Connection, name: str) -> Viewer:
    """Make the viewer called `name`."""
    return Viewer(connection.execute(select(SECRET)).scalar_one(), name)


def showing(card: PairCard) -> Showing:
    """Turn a card into all that a page is sent of it."""
    current = None
    if card.current is not None:
        current = _shown_answer(card.current, card.left.candidate_id)
    return Showing(
        pair_id=card.handle,
        showing=card.showing,
        left=ShownSide(card.left.text),
        right=ShownSide(card.right.text),
        version=card.base + card.version,
        current=current,
        **{content.name: getattr(card, content.name) for content in fields(PairContent)},
    )


def side_of(candidate: int | None, left_id: int) -> Side | None:
    """Return the side that a candidate of a pair is on; None for no candidate."""
    if candidate is None:
        return None
    return "left" if candidate == left_id else "right"


def _shown_answer(answer: StandingAnswer, left_id: int) -> ShownAnswer:
    return ShownAnswer(
        kind=answer.kind,
        winner=side_of(answer.winner_id, left_id),
        aspects=aspects_by_side(answer.aspects, left_id),
        spans=spans_by_side(answer.spans, left_id),
        **details_of(answer),
    )


def aspects_by_side(aspects: dict[str, int], left_id: int) -> dict[str, str]:
    """Name by aspect the better side; empty when both are alike."""
    return {name: side_of(best or None, left_id) or "" for name, best in aspects.items()}


def spans_by_side(spans: tuple[Span, ...], left_id: int) -> tuple[SideSpan, ...]:
    """Place marked pieces on the side of their answer."""
    return tuple(
        SideSpan("left" if span.candidate_id == left_id else "right", span.start, span.end)
        for span in spans
    )


@dataclass(frozen=True)
class Sides:
    """The candidates on the two sides of a showing."""

    left: int
    right: int

    def of(self, side: str | None) -> int | None:
        """Return the candidate on a side."""
        return {"left": self.left, "right": self.right}.get(side or "")


def sides_of(person: Viewer, pair: int, repeat: bool, both: tuple[int, int], token: str) -> Sides:
    """Find which candidate was on which side when `token` was given out.

    Raises:
        InputError: The token belongs to no showing of this pair to this person.
    """
    # Compared in constant time: how long a wrong token takes must not tell how much of it is right.
    for left, right in (both, both[::-1]):
        if hmac.compare_digest(person.showing(pair, repeat, left).encode(), token.encode()):
            return Sides(left, right)
    raise InputError(
        "This answer is to a showing that was not yours.",
        remedy="Reload the page.",
        field="showing",
    )


def event_of(
    answer: SideAnswer, person: Viewer, pair: int, repeat: bool, both: tuple[int, int]
) -> LabelEvent:
    """Turn an answer by sides into an event by candidates.

    Args:
        both: The pair's candidates.

    Raises:
        InputError: Its token belongs to no showing of this pair to this person.
    """
    sides = sides_of(person, pair, repeat, both, answer.showing)
    return LabelEvent(
        key=answer.key,
        pair_id=pair,
        annotator=answer.annotator,
        kind=answer.kind,
        winner_id=sides.of(answer.winner),
        expected_version=answer.expected_version - person.base(pair, repeat),
        elapsed_ms=answer.elapsed_ms,
        shown_left_id=sides.left,
        aspects={name: sides.of(side) or 0 for name, side in answer.aspects.items()},
        spans=tuple(Span(sides.of(span.side) or 0, span.start, span.end) for span in answer.spans),
        repeat=repeat,
        guideline=answer.guideline,
        **details_of(answer),
    )


def no_such_pair(number: int) -> NotFoundError:
    """Make the refusal of a pair that is not there."""
    return NotFoundError(f"There is no pair {number}.", remedy="Reload the page.")


def not_yours() -> NotFoundError:
    """Make the refusal of a pair that was not given to somebody."""
    return NotFoundError(
        "This pair was not given to you, so your answer to it was not saved.",
        remedy="Go on with the next pair; reload the page if none comes.",
        field="pair_id",
    )
