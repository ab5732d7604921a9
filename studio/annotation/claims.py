"""Who judges which pair next: claims with a lease, so that nobody gets what another holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from statistics import median

from sqlalchemy import Connection, delete, func, insert, select, update

from studio.annotation import checks
from studio.annotation.cards import cards
from studio.annotation.checks import GoldScore
from studio.annotation.settings import projects
from studio.annotation.staging import unpublished
from studio.annotation.tables import Annotator, CurrentLabel, Dataset, Label, Lease, Pair
from studio.annotation.views import PairCard
from studio.errors import InputError

LEASE_SECONDS = 600.0
SHORTEST_LEASE, LONGEST_LEASE = 120.0, 3600.0
RECENT, FEW, AHEAD = 50, 5, 3


def annotator_id(connection: Connection, name: str, now: float) -> int:
    """The annotator's id; added when new. Needs a writing transaction."""
    known = find_annotator(connection, name)
    if known is not None:
        return known
    if not name or len(name) > 200:
        raise InputError("An annotator needs a name of 1 to 200 characters.", field="annotator")
    added = connection.execute(insert(Annotator).values(name=name, created_at=now))
    return added.inserted_primary_key[0]


def find_annotator(connection: Connection, name: str) -> int | None:
    return connection.execute(select(Annotator.id).where(Annotator.name == name)).scalar()


def claim(
    connection: Connection, annotator: str, dataset: str | None, count: int, now: float
) -> list[PairCard]:
    """Up to `count` pairs held for `annotator`, those held before first; aging leases renewed.

    Second showings and gold pairs come among them when it is their turn.
    """
    who = annotator_id(connection, annotator, now)
    turn = _turn(connection, who, dataset)
    special = [*turn.repeats, *turn.gold][:count]
    held = _held(connection, who, dataset, count, now)
    held = {pair: until for pair, until in held.items() if pair not in special}
    wanted = count - len(held) - len(special)
    free = []
    if wanted > 0:
        free = _free(connection, who, dataset, [*held, *special], wanted, now, turn.blocked)
    seconds = lease_seconds(connection, who)
    aging = [pair for pair, expires in held.items() if expires < now + seconds / 2]
    for pair in aging + free:
        lease(connection, pair, who, now, seconds)
    shown = [*special, *held, *free][:count]
    return cards(connection, shown, annotator, turn.repeats)


@dataclass(frozen=True)
class _Turn:
    repeats: list[int]
    gold: list[int]
    blocked: dict[int, str]


def _turn(connection: Connection, who: int, dataset: str | None) -> _Turn:
    """What comes before ordinary pairs."""
    known = projects(connection)
    wanted = {number: one for number, one in known.items() if dataset in (None, one.name)}
    only = next(iter(wanted), 0) if dataset is not None else None
    repeats = checks.due_repeats(connection, who, only, 1)
    with_gold = checks.gold_datasets(connection) & set(wanted)
    if not with_gold:
        return _Turn(repeats, [], {})
    scored = checks.scores(connection, who)
    blocked = checks.blocked(connection, who, wanted, scored, with_gold)
    gold = [
        pair
        for number in sorted(with_gold)
        if blocked.get(number) != "failed"
        for pair in checks.due_gold(
            connection, who, wanted[number].settings, number, scored.get(number, GoldScore())
        )
    ]
    return _Turn(repeats, gold, blocked)


def standing(connection: Connection, annotator: str, dataset: str | None) -> dict[str, str]:
    """By dataset, why `annotator` is not given its ordinary pairs: `qualifying` or `failed`."""
    who = find_annotator(connection, annotator) or 0
    names = {number: one.name for number, one in projects(connection).items()}
    blocked = _turn(connection, who, dataset).blocked
    return {names[number]: why for number, why in blocked.items()}


def lease_seconds(connection: Connection, who: int) -> float:
    """How long a claim lasts: three times the person's median time for each pair held ahead."""
    query = (
        select(Label.elapsed_ms)
        .where(Label.annotator_id == who, Label.elapsed_ms.is_not(None))
        .order_by(Label.id.desc())
        .limit(RECENT)
    )
    elapsed = connection.execute(query).scalars().all()
    if len(elapsed) < FEW:
        return LEASE_SECONDS
    return min(LONGEST_LEASE, max(SHORTEST_LEASE, AHEAD * 3 * median(elapsed) / 1000))


def lease(
    connection: Connection, pair: int, who: int, now: float, seconds: float = LEASE_SECONDS
) -> None:
    """Hold `pair` for `who` for `seconds` from `now`."""
    release(connection, pair, who)
    connection.execute(
        insert(Lease).values(pair_id=pair, annotator_id=who, expires_at=now + seconds)
    )


def heartbeat(connection: Connection, annotator: str, now: float) -> int:
    """Renew every lease of `annotator` that still holds; returns how many."""
    who = find_annotator(connection, annotator)
    if who is None:
        return 0
    until = now + lease_seconds(connection, who)
    mine = (Lease.annotator_id == who, Lease.expires_at > now)
    return connection.execute(update(Lease).where(*mine).values(expires_at=until)).rowcount


def release_all(connection: Connection, annotator: str) -> int:
    """Give up every lease of `annotator`: they have left."""
    who = find_annotator(connection, annotator) or 0
    return connection.execute(delete(Lease).where(Lease.annotator_id == who)).rowcount


def release(connection: Connection, pair: int, who: int) -> None:
    connection.execute(delete(Lease).where(Lease.pair_id == pair, Lease.annotator_id == who))


def _answered_by(who: int):
    return (
        select(CurrentLabel.pair_id)
        .where(
            CurrentLabel.pair_id == Pair.id,
            CurrentLabel.annotator_id == who,
            CurrentLabel.label_id.is_not(None),
        )
        .exists()
    )


def _held(
    connection: Connection, who: int, dataset: str | None, count: int, now: float
) -> dict[int, float]:
    """Pairs held and not answered, with the time their lease ends."""
    query = (
        select(Lease.pair_id, Lease.expires_at)
        .join(Pair, Pair.id == Lease.pair_id)
        .where(Lease.annotator_id == who, Lease.expires_at > now, ~_answered_by(who))
        .where(Pair.hidden.is_(False))
        .order_by(Lease.pair_id)
        .limit(count)
    )
    return {row.pair_id: row.expires_at for row in connection.execute(_in_dataset(query, dataset))}


def _free(
    connection: Connection,
    who: int,
    dataset: str | None,
    held: list[int],
    count: int,
    now: float,
    blocked: Collection[int] = (),
) -> list[int]:
    others = (
        select(func.count())
        .select_from(Lease)
        .where(Lease.pair_id == Pair.id, Lease.annotator_id != who, Lease.expires_at > now)
        .correlate(Pair)
        .scalar_subquery()
    )
    query = (
        select(Pair.id)
        .join(Dataset, Dataset.id == Pair.dataset_id)
        .where(
            Pair.open.is_(True),
            Pair.hidden.is_(False),
            Pair.batch.not_in(unpublished()),
            Pair.id.not_in(held),
            Pair.dataset_id.not_in(list(blocked)),
            ~_answered_by(who),
            Pair.votes + others < Dataset.overlap,
        )
        .order_by(Pair.dataset_id, Pair.id)
        .limit(count)
    )
    return list(connection.execute(_in_dataset(query, dataset)).scalars())


def _in_dataset(query, dataset: str | None):
    if dataset is None:
        return query
    return query.where(
        Pair.dataset_id == select(Dataset.id).where(Dataset.name == dataset).scalar_subquery()
    )
