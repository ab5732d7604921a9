"""Who judges which pair next: claims with a lease, so that nobody gets what another holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, text, update
from sqlalchemy.sql.expression import TextClause

from studio.annotation.database.tables import (
    LAST_PLACE,
    Annotator,
    CurrentLabel,
    Dataset,
    Lease,
    Pair,
)
from studio.annotation.labeling.assignment_queue import (
    BETWEEN,
    LEASE_SECONDS,
    NOW,
    Ahead,
    ahead,
    holds,
    lease_seconds,
)
from studio.annotation.labeling.pair_card import cards
from studio.annotation.labeling.project_settings import Project, projects
from studio.annotation.library.import_staging import unpublished
from studio.annotation.quality import gold as checks
from studio.annotation.quality.gold import GoldScore
from studio.annotation.records import PairCard
from studio.core.errors import InputError


def annotator_id(connection: Connection, name: str, now: float) -> int:
    """Return the annotator's id; a new one is added. Needs a writing transaction."""
    known = find_annotator(connection, name)
    if known is not None:
        return known
    if not name or len(name) > 200:
        raise InputError("An annotator needs a name of 1 to 200 characters.", field="annotator")
    added = connection.execute(insert(Annotator).values(name=name, created_at=now))
    (made,) = added.inserted_primary_key or (0,)
    return made


FIND = select(Annotator.id).where(Annotator.name == bindparam("name"))


def find_annotator(connection: Connection, name: str) -> int | None:
    """Find the annotator's id; None for somebody who is not known yet."""
    return connection.execute(FIND, {"name": name}).scalar()


def claim(
    connection: Connection,
    annotator: str,
    dataset: str | None,
    count: int,
    now: float,
    who: int | None = None,
) -> list[PairCard]:
    """Hold up to `count` pairs for `annotator`, in the order they were handed out; renew old
    leases.

    Second showings and gold pairs come among them when it is their turn: last, as what is new
    does, so that their place tells nothing. `who` is the annotator's id, where it is known. That
    they were handed out stays known.
    """
    who = who or annotator_id(connection, annotator, now)
    before = ahead(connection, who, dataset, count, now)
    turn = _turn(connection, who, dataset, now)
    shut = _shut(connection, [*before.repeats, *before.held], turn.blocked)
    line = [_Place(at, 0, pair) for pair, at in before.held.items() if pair not in shut]
    line += [_Place(at, 1, pair) for pair, at in turn.handed.items()]
    line += [_Place(at, 2, pair) for pair, at in before.repeats.items() if pair not in shut]
    shown = sorted(line)[:count]
    gold = turn.gold[: count - len(shown)]
    room = count - len(shown) - len(gold)
    again = _again(connection, before, turn, count - 1) if room else []
    free = []
    if room > len(again):
        free = _free(connection, who, dataset, room - len(again), now, turn.blocked)
    ahead_of_it = len(shown) + len(free) + len(gold)
    if again and before.again and before.again[1] + ahead_of_it < BETWEEN:
        again = []  # there are too few others to come between
    aging = [pair for pair in before.aging if pair not in shut]
    _hand(connection, HOLD, aging + free, who=who, until=now + before.lease, now=now)
    _hand(connection, HAND_GOLD, gold, who=who, now=now)
    _hand(connection, HAND_AGAIN, again, who=who, now=now)
    pairs = [*((entry.pair, entry.rank == 2) for entry in shown), *((pair, False) for pair in free)]
    pairs += [*((pair, False) for pair in gold), *((pair, True) for pair in again)]
    return cards(connection, pairs, annotator)


class _Place(NamedTuple):
    """Where a pair stands in the line: since when, and after which of the same time."""

    at: float
    rank: int
    pair: int


def _again(connection: Connection, before: Ahead, turn: _Turn, place: int) -> list[int]:
    """The pair to be shown again, when enough was answered by the time it stands at `place`."""
    if before.again is None or before.again[1] + place < BETWEEN:
        return []
    pair = before.again[0]
    return [] if _shut(connection, [pair], turn.blocked) else [pair]


def _shut(
    connection: Connection, pairs: Collection[int], blocked: Collection[int]
) -> Collection[int]:
    """Those of `pairs` whose dataset is not open to this person."""
    if not pairs or not blocked:
        return ()
    query = select(Pair.id).where(Pair.id.in_(pairs), Pair.dataset_id.in_(blocked))
    return set(connection.execute(query).scalars())


@dataclass(frozen=True)
class _Turn:
    """Gold pairs whose turn it is, those handed out before with when, and the datasets that are
    not open (yet), with why."""

    gold: list[int]
    handed: dict[int, float]
    blocked: dict[int, str]


def _turn(connection: Connection, who: int, dataset: str | None, now: float) -> _Turn:
    """What comes among ordinary pairs."""
    wanted, with_gold = _projects_with_gold(connection, dataset)
    if not with_gold:
        return _Turn([], {}, {})
    scored = checks.scores(connection, who)
    blocked = checks.blocked(connection, who, wanted, scored, with_gold)
    shown = {number for number in with_gold if blocked.get(number) != "failed"}
    handed = [one for one in checks.handed_gold(connection, who, now) if one.dataset_id in shown]
    gold = []
    for number in sorted(shown):
        score = scored.get(number, GoldScore())
        new = sum(one.dataset_id == number and not one.undone for one in handed)
        settings = wanted[number].settings
        gold += checks.due_gold(connection, who, settings, number, score, new, now)
    return _Turn(gold, {one.pair: one.at for one in handed}, blocked)


def standing(connection: Connection, annotator: str, dataset: str | None) -> dict[str, str]:
    """Say by dataset why `annotator` gets no ordinary pairs: `qualifying` or `failed`."""
    who = find_annotator(connection, annotator) or 0
    wanted, with_gold = _projects_with_gold(connection, dataset)
    blocked = checks.blocked(connection, who, wanted, checks.scores(connection, who), with_gold)
    return {wanted[number].name: why for number, why in blocked.items()}


def _projects_with_gold(
    connection: Connection, dataset: str | None
) -> tuple[dict[int, Project], set[int]]:
    """Read the projects of one dataset or of all, and which of them have gold pairs."""
    wanted = {
        n: project for n, project in projects(connection).items() if dataset in (None, project.name)
    }
    return wanted, {number for number, project in wanted.items() if project.has_gold}


def standings(connection: Connection, project: Project) -> dict[str, str]:
    """Say how each annotator of a project stands in its qualification round (`Team.standings`)."""
    here = (
        select(CurrentLabel.annotator_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .where(Pair.dataset_id == project.id)
    )
    people = select(Annotator.id, Annotator.name, Annotator.cleared).where(Annotator.id.in_(here))
    by_name = {}
    for who, name, cleared in connection.execute(people.order_by(Annotator.name)).all():
        scored = checks.scores(connection, who)
        where = checks.blocked(connection, who, {project.id: project}, scored, {project.id})
        counted = scored.get(project.id, GoldScore()).answered
        otherwise = "passed" if counted else "not tested"
        by_name[name] = "let on" if cleared else where.get(project.id, otherwise)
    return by_name


def lease(
    connection: Connection, pair: int, who: int, now: float, seconds: float = LEASE_SECONDS
) -> None:
    """Hold `pair` for `who` for `seconds` from `now`."""
    _hand(connection, HOLD, [pair], who=who, until=now + seconds, now=now)


# The same in SQLite and PostgreSQL.
HOLD = text(
    "INSERT INTO leases (pair_id, annotator_id, expires_at, handed_at, drawn) "
    f"SELECT pairs.id, :who, :until, :now, CASE WHEN pairs.place >= {LAST_PLACE} THEN '' "
    "WHEN pairs.sampled THEN 'random' ELSE 'ranked' END FROM pairs WHERE pairs.id = :pair "
    "ON CONFLICT (pair_id, annotator_id) DO UPDATE SET expires_at = excluded.expires_at, "
    "handed_at = COALESCE(leases.handed_at, excluded.handed_at)"
)
HAND_GOLD = text(
    "INSERT INTO leases (pair_id, annotator_id, expires_at, handed_at) "
    "VALUES (:pair, :who, 0, :now) ON CONFLICT (pair_id, annotator_id) "
    "DO UPDATE SET handed_at = excluded.handed_at"
)
HAND_AGAIN = text(
    "INSERT INTO leases (pair_id, annotator_id, expires_at, again_at) "
    "VALUES (:pair, :who, 0, :now) ON CONFLICT (pair_id, annotator_id) "
    "DO UPDATE SET again_at = excluded.again_at WHERE leases.again_at IS NULL"
)


def _hand(
    connection: Connection, statement: TextClause, pairs: Sequence[int], **values: float
) -> None:
    """Note that pairs were handed out; gold and second showings nobody holds alone."""
    if pairs:
        connection.execute(statement, [{"pair": pair, **values} for pair in pairs])


def heartbeat(connection: Connection, annotator: str, now: float) -> int:
    """Renew every lease of `annotator` that still holds; returns how many."""
    who = find_annotator(connection, annotator)
    if who is None:
        return 0
    until = now + lease_seconds(connection, who)
    mine = (Lease.annotator_id == who, holds(now))
    return connection.execute(update(Lease).where(*mine).values(expires_at=until)).rowcount


def release_all(connection: Connection, annotator: str) -> int:
    """Give up every lease of `annotator` that holds: they have left."""
    who = find_annotator(connection, annotator) or 0
    held = (Lease.annotator_id == who, Lease.expires_at > 0)
    return connection.execute(update(Lease).where(*held).values(expires_at=0.0)).rowcount


RELEASE = (
    update(Lease)
    .where(
        Lease.pair_id == bindparam("pair"),
        Lease.annotator_id == bindparam("who"),
        Lease.expires_at > 0,
    )
    .values(expires_at=0.0)
)


def release(connection: Connection, pair: int, who: int) -> None:
    """Give up one lease, if there is one: the pair was answered."""
    connection.execute(RELEASE, {"pair": pair, "who": who})


# Pairs that somebody (`who`) has answered, that others hold, that they hold themselves.
_ANSWERED = (
    select(CurrentLabel.pair_id)
    .where(
        CurrentLabel.pair_id == Pair.id,
        CurrentLabel.annotator_id == bindparam("who"),
        CurrentLabel.label_id.is_not(None),
    )
    .exists()
)
_OTHERS = (
    select(func.count())
    .select_from(Lease)
    .where(Lease.pair_id == Pair.id, Lease.annotator_id != bindparam("who"), holds(NOW))
    .correlate(Pair)
    .scalar_subquery()
)
_MINE = (
    select(Lease.pair_id)
    .where(Lease.pair_id == Pair.id, Lease.annotator_id == bindparam("who"), holds(NOW))
    .exists()
)
_FREE = (
    select(Pair.id)
    .join(Dataset, Dataset.id == Pair.dataset_id)
    .where(
        Pair.open.is_(True),
        Pair.hidden.is_(False),
        Pair.batch.not_in(unpublished()),
        ~_ANSWERED,
        ~_MINE,
        Pair.votes + _OTHERS < Dataset.overlap,
    )
    .order_by(Pair.dataset_id, Pair.place, Pair.id)
    .limit(bindparam("count"))
)
_OF = select(Dataset.id).where(Dataset.name == bindparam("dataset")).scalar_subquery()
FREE = {False: _FREE, True: _FREE.where(Pair.dataset_id == _OF)}
OPEN_TO_ALL = Pair.dataset_id.not_in(bindparam("blocked", expanding=True))


def _free(
    connection: Connection,
    who: int,
    dataset: str | None,
    count: int,
    now: float,
    blocked: Collection[int],
) -> list[int]:
    """Pairs that wait for answers, neither answered nor held by `who`; the first of the queue."""
    query = FREE[dataset is not None]
    given: dict[str, Any] = {"who": who, "now": now, "count": count}
    given |= {} if dataset is None else {"dataset": dataset}
    if blocked:
        query, given["blocked"] = query.where(OPEN_TO_ALL), list(blocked)
    return list(connection.execute(query, given).scalars())
