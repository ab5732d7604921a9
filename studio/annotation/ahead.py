"""What a person has before them, and how long it may be theirs: one statement for every claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import Connection, Select, bindparam, literal, select, union_all

from studio.annotation.tables import CurrentLabel, Dataset, Label, Lease, Pair
from studio.annotation.team_tables import Repeat

BETWEEN = 10  # answers between the first showing and the second
LEASE_SECONDS = 600.0
SHORTEST_LEASE, LONGEST_LEASE = 120.0, 3600.0
RECENT, FEW, AHEAD = 50, 5, 3


@dataclass(frozen=True)
class Ahead:
    """What one annotator has before them.

    Attributes:
        repeats: Pairs whose second showing has come.
        held: Pairs held, open still and not answered, with the time their lease ends.
        lease: Seconds a new claim lasts.
    """

    repeats: list[int]
    held: dict[int, float]
    lease: float


_NTH_LATEST = (
    select(Label.id)
    .where(Label.annotator_id == bindparam("who"))
    .order_by(Label.id.desc())
    .offset(BETWEEN - 1)
    .limit(1)
    .scalar_subquery()
)
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


def _statement(*, of_dataset: bool) -> Select:
    """Rows of (what, pair, number): the time a lease ends, or milliseconds an answer took."""
    in_sight = select(Pair.id).where(Pair.hidden.is_(False))
    if of_dataset:
        in_sight = in_sight.where(Pair.dataset_id == _OF)
    repeats = (
        select(Repeat.pair_id)
        .where(Repeat.annotator_id == bindparam("who"), Repeat.answer_id.is_(None))
        .where(Repeat.label_id < _NTH_LATEST, _FIRST_STANDS)
        .where(in_sight.where(Pair.id == Repeat.pair_id).exists())
        .order_by(Repeat.label_id)
        .limit(1)
        .subquery()
    )
    held = (
        select(Lease.pair_id, Lease.expires_at)
        .where(Lease.annotator_id == bindparam("who"), Lease.expires_at > bindparam("now"))
        .where(~_ANSWERED, in_sight.where(Pair.id == Lease.pair_id, Pair.open.is_(True)).exists())
        .order_by(Lease.pair_id)
        .limit(bindparam("count"))
        .subquery()
    )
    pace = PACE.subquery()
    return union_all(
        select(literal("repeat").label("what"), repeats.c.pair_id, literal(0.0).label("number")),
        select(literal("held"), held.c.pair_id, held.c.expires_at),
        select(literal("pace"), literal(0), pace.c.elapsed_ms * 1.0),
    )


STATEMENTS = {chosen: _statement(of_dataset=chosen) for chosen in (False, True)}


def ahead(connection: Connection, who: int, dataset: str | None, count: int, now: float) -> Ahead:
    """What `who` has before them, of one dataset or all; up to `count` pairs held."""
    given = {"who": who, "now": now, "count": count}
    given |= {} if dataset is None else {"dataset": dataset}
    rows = connection.execute(STATEMENTS[dataset is not None], given).all()
    return Ahead(
        repeats=[pair for what, pair, _ in rows if what == "repeat"],
        held=dict(sorted((pair, until) for what, pair, until in rows if what == "held")),
        lease=lease_of([number for what, _, number in rows if what == "pace"]),
    )


def lease_seconds(connection: Connection, who: int) -> float:
    """How long a claim of `who` lasts."""
    return lease_of(connection.execute(PACE, {"who": who}).scalars().all())


def lease_of(elapsed_ms: Sequence[float]) -> float:
    """Three times the median time of the latest answers for each pair held ahead, in seconds."""
    if len(elapsed_ms) < FEW:
        return LEASE_SECONDS
    return min(LONGEST_LEASE, max(SHORTEST_LEASE, AHEAD * 3 * median(elapsed_ms) / 1000))
