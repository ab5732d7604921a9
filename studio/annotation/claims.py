"""Who judges which pair next: claims with a lease, and the blind order of the two answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select
from sqlalchemy.orm import aliased

from studio.annotation.staging import unpublished
from studio.annotation.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Dataset,
    Item,
    Label,
    Lease,
    Pair,
)
from studio.annotation.texts import prompt_from_json
from studio.annotation.views import Answer, PairCard, SideView
from studio.errors import InputError, NotFoundError

LEASE_SECONDS = 600.0
FIRST, SECOND = aliased(Candidate), aliased(Candidate)
CARDS = (
    select(
        Pair.id,
        Dataset.name.label("dataset"),
        Item.images,
        Item.prompt,
        Item.question,
        FIRST.id.label("first_id"),
        FIRST.text.label("first_text"),
        SECOND.id.label("second_id"),
        SECOND.text.label("second_text"),
        CurrentLabel.version,
        Label.kind,
        Label.winner_id,
        Label.reason,
        Label.comment,
    )
    .join(Item, Item.id == Pair.item_id)
    .join(Dataset, Dataset.id == Pair.dataset_id)
    .join(FIRST, FIRST.id == Pair.first_id)
    .join(SECOND, SECOND.id == Pair.second_id)
    .outerjoin(Annotator, Annotator.name == bindparam("annotator"))
    .outerjoin(
        CurrentLabel,
        (CurrentLabel.pair_id == Pair.id) & (CurrentLabel.annotator_id == Annotator.id),
    )
    .outerjoin(Label, Label.id == CurrentLabel.label_id)
)


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
    """Up to `count` pairs held for `annotator`, those held before first; aging leases renewed."""
    who = annotator_id(connection, annotator, now)
    held = _held(connection, who, dataset, count, now)
    wanted = count - len(held)
    free = _free(connection, who, dataset, list(held), wanted, now) if wanted > 0 else []
    aging = [pair for pair, expires in held.items() if expires < now + LEASE_SECONDS / 2]
    for pair in aging + free:
        lease(connection, pair, who, now)
    return cards(connection, [*held, *free], annotator)


def lease(connection: Connection, pair: int, who: int, now: float) -> None:
    """Hold `pair` for `who` for LEASE_SECONDS from `now`."""
    release(connection, pair, who)
    connection.execute(
        insert(Lease).values(pair_id=pair, annotator_id=who, expires_at=now + LEASE_SECONDS)
    )


def release(connection: Connection, pair: int, who: int) -> None:
    connection.execute(delete(Lease).where(Lease.pair_id == pair, Lease.annotator_id == who))


def left_is_first(pair: int, annotator: str) -> bool:
    """Whether the pair's first candidate is shown on the left: a fair, repeatable coin."""
    seed = hashlib.sha256(f"{pair}:{annotator}".encode("utf-8", "surrogatepass")).digest()
    return seed[0] % 2 == 0


def cards(connection: Connection, pairs: Sequence[int], annotator: str) -> list[PairCard]:
    """The blind cards of `pairs`, in that order."""
    query = CARDS.where(Pair.id.in_(pairs))
    parameters = {"annotator": annotator}
    found = {row.id: _card(row, annotator) for row in connection.execute(query, parameters)}
    return [found[pair] for pair in pairs if pair in found]


def card(connection: Connection, pair: int, annotator: str) -> PairCard:
    """One card.

    Raises:
        NotFoundError: There is no such pair.
    """
    found = cards(connection, [pair], annotator)
    if not found:
        raise NotFoundError(f"There is no pair {pair}.", remedy="Reload the page.")
    return found[0]


def _card(row, annotator: str) -> PairCard:
    sides = [
        SideView(row.first_id, row.first_text),
        SideView(row.second_id, row.second_text),
    ]
    if not left_is_first(row.id, annotator):
        sides.reverse()
    answer = Answer(row.kind, row.winner_id, row.reason, row.comment) if row.kind else None
    return PairCard(
        pair_id=row.id,
        dataset=row.dataset,
        images=tuple(row.images),
        prompt=prompt_from_json(row.prompt),
        question=row.question,
        left=sides[0],
        right=sides[1],
        version=row.version or 0,
        current=answer,
    )


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
    connection: Connection, who: int, dataset: str | None, held: list[int], count: int, now: float
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
