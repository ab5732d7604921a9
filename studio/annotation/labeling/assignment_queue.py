"""What a person has before them, and how long it may be theirs: one statement for every claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Float,
    bindparam,
    func,
    literal,
    select,
    union_all,
)

from studio.annotation.database.tables import CurrentLabel, Dataset, Label, Lease, Pair
from studio.annotation.database.team_tables import Repeat

BETWEEN = 10  # answers between the first showing and the second
LEASE_SECONDS = 600.0
SHORTEST_LEASE, LONGEST_LEASE = 120.0, 3600.0
RECENT, FEW, AHEAD = 50, 5, 3


@dataclass(frozen=True)
class Ahead:
    """What one annotator has before them.

    Attributes:
        repeats: Pairs handed out for their second showing, with when.
        again: The pair whose second showing is next, with the number of answers given since its
            first, no more than `BETWEEN`.
        held: Pairs held, open still and not answered, with when they were handed out.
        aging: Those of them whose lease ends soon.
        lease: Seconds a new claim lasts.
    """

    repeats: dict[int, float]
    again: tuple[int, int] | None
    held: dict[int, float]
    aging: list[int]
    lease: float


NOW = bindparam("now", type_=Float)


def holds(now: Any) -> ColumnElement[bool]:
    """Select the leases that hold at `now`.

    One that lasts longer than any is given was made before the clock was set back: it holds
    nobody's pair until the clock is there again.
    """
    return (Lease.expires_at > now) & (Lease.expires_at <= now + LONGEST_LEASE)


# Answers since the first showing, counted no further than what is asked.
_AFTER = (
    select(Label.id)
    .where(Label.annotator_id == bindparam("who"), Label.id > Repeat.label_id)
    .correlate(Repeat)
    .limit(BETWEEN)
    .subquery()
)
_SINCE = select(func.count()).select_from(_AFTER).correlate(Repeat).scalar_subquery()
# Begun from the few second showings, not from everything that was answered.
_FIRST_STANDS = (
    select(CurrentLabel.label_id)
    .where(
        CurrentLabel.pair_id == Repeat.pair_id,
        CurrentLabel.annotator_id == Repeat.annotator_id,
        CurrentLabel.label_id == Repeat.label_id,
    )
    .exists()
)
_ANSWERED = (
    select(CurrentLabel.pair_id)
    .where(
        CurrentLabel.pair_id == Lease.pair_id,
        CurrentLabel.annotator_id == Lease.annotator_id,
        CurrentLabel.label_id.is_not(None),
    )
    .exists()
)
_OF = select(Dataset.id).where(Dataset.name == bindparam("dataset")).scalar_subquery()
PACE = (
    select(Label.elapsed_ms)
    .where(Label.annotator_id == bindparam("who"), Label.elapsed_ms.is_not(None))
    .order_by(Label.id.desc())
    .limit(RECENT)
)


def _statement(*, of_dataset: bool) -> CompoundSelect:
    """Rows of (what, pair, number, when it was handed out, else 0).

    The number is that of answers since, the time a lease ends, or milliseconds an answer took.
    """
    in_sight = select(Pair.id).where(Pair.hidden.is_(False))
    if of_dataset:
        in_sight = in_sight.where(Pair.dataset_id == _OF)
    repeats = (
        select(Repeat.pair_id, Repeat.label_id, Lease.again_at, _SINCE.label("since"))
        .outerjoin(
            Lease, (Lease.pair_id == Repeat.pair_id) & (Lease.annotator_id == Repeat.annotator_id)
        )
        .where(Repeat.annotator_id == bindparam("who"), Repeat.answer_id.is_(None), _FIRST_STANDS)
        .where(in_sight.where(Pair.id == Repeat.pair_id).exists())
        .order_by(Repeat.label_id)
        .limit(bindparam("count"))
        .subquery()
    )
    held = (
        select(Lease.pair_id, Lease.expires_at, Lease.handed_at)
        .where(Lease.annotator_id == bindparam("who"), holds(NOW))
        .where(~_ANSWERED, in_sight.where(Pair.id == Lease.pair_id, Pair.open.is_(True)).exists())
        .order_by(func.coalesce(Lease.handed_at, 0.0), Lease.pair_id)
        .limit(bindparam("count"))
        .subquery()
    )
    pace = PACE.subquery()
    zero = literal(0.0)
    return union_all(
        select(literal("again").label("what"), repeats.c.pair_id, repeats.c.since * 1.0,
               func.coalesce(repeats.c.again_at, 0.0)),
        select(literal("held"), held.c.pair_id, held.c.expires_at,
               func.coalesce(held.c.handed_at, 0.0)),
        select(literal("pace"), literal(0), pace.c.elapsed_ms * 1.0, zero),
    )  # fmt: skip


STATEMENTS = {chosen: _statement(of_dataset=chosen) for chosen in (False, True)}


def ahead(connection: Connection, who: int, dataset: str | None, count: int, now: float) -> Ahead:
    """Read what `who` has before them, of one dataset or all; up to `count` pairs held."""
    given: dict[str, Any] = {"who": who, "now": now, "count": count}
    given |= {} if dataset is None else {"dataset": dataset}
    rows = connection.execute(STATEMENTS[dataset is not None], given).all()
    lease = lease_of([number for what, _, number, _ in rows if what == "pace"])
    again = [(pair, int(since), at) for what, pair, since, at in rows if what == "again"]
    held = [(pair, until, at) for what, pair, until, at in rows if what == "held"]
    return Ahead(
        repeats={pair: at for pair, _, at in again if at},
        again=next(((pair, since) for pair, since, at in again if not at), None),
        held={pair: at for pair, _, at in held},
        aging=[pair for pair, until, _ in held if until < now + lease / 2],
        lease=lease,
    )


def lease_seconds(connection: Connection, who: int) -> float:
    """Return how many seconds a claim of `who` lasts."""
    took = connection.execute(PACE, {"who": who}).scalars()
    return lease_of([ms for ms in took if ms is not None])


def lease_of(elapsed_ms: Sequence[float]) -> float:
    """Compute a lease: three median answer times for each pair held ahead, in seconds."""
    if len(elapsed_ms) < FEW:
        return LEASE_SECONDS
    return min(LONGEST_LEASE, max(SHORTEST_LEASE, AHEAD * 3 * median(elapsed_ms) / 1000))
