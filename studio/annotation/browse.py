"""Looking through items: keyset pages, search, counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, Select, func, or_, select

from studio.annotation.importing import prompt_from_json
from studio.annotation.tables import Candidate, Dataset, Item, Pair
from studio.annotation.views import CandidateView, DatasetView, ItemView, PairView
from studio.errors import NotFoundError

LIKE_ESCAPE = "\\"


def datasets(connection: Connection) -> list[DatasetView]:
    """Every dataset, in the order they were made."""
    items = _counts(connection, select(Item.dataset_id, func.count()).group_by(Item.dataset_id))
    pairs = select(Pair.dataset_id, func.count()).group_by(Pair.dataset_id)
    all_pairs = _counts(connection, pairs)
    labelled = _counts(connection, pairs.where(Pair.votes > 0))
    waiting = _counts(connection, pairs.where(Pair.open.is_(True)))
    query = select(Dataset.id, Dataset.name).order_by(Dataset.id)
    return [
        DatasetView(
            id=row.id,
            name=row.name,
            items=items.get(row.id, 0),
            pairs=all_pairs.get(row.id, 0),
            labelled=labelled.get(row.id, 0),
            waiting=waiting.get(row.id, 0),
        )
        for row in connection.execute(query)
    ]


def browse(
    connection: Connection,
    dataset: str | None,
    search: str,
    labelled: bool | None,
    after: int,
    limit: int,
) -> list[ItemView]:
    """The next `limit` items with an id above `after`."""
    query = _filtered(select(Item.id), dataset, search, labelled)
    query = query.where(Item.id > after).order_by(Item.id).limit(limit)
    return items(connection, list(connection.execute(query).scalars()))


def count(connection: Connection, dataset: str | None, search: str, labelled: bool | None) -> int:
    """How many items the same filters let through."""
    query = _filtered(select(func.count()).select_from(Item), dataset, search, labelled)
    return connection.execute(query).scalar_one()


def item(connection: Connection, item_id: int) -> ItemView:
    """One item.

    Raises:
        NotFoundError: There is none with this id.
    """
    found = items(connection, [item_id])
    if not found:
        raise NotFoundError(f"There is no item {item_id}.", remedy="Reload the list.")
    return found[0]


def items(connection: Connection, ids: Sequence[int]) -> list[ItemView]:
    """Items with their candidates and pairs, in the order of `ids`; four queries in all."""
    candidates, pairs = _candidates(connection, ids), _pairs(connection, ids)
    query = (
        select(Item.__table__, Dataset.name.label("dataset"))
        .join(Dataset, Dataset.id == Item.dataset_id)
        .where(Item.id.in_(ids))
    )
    found = {
        row.id: ItemView(
            id=row.id,
            dataset=row.dataset,
            external_id=row.external_id,
            images=tuple(row.images),
            prompt=prompt_from_json(row.prompt),
            question=row.question,
            candidates=tuple(candidates[row.id]),
            pairs=tuple(pairs[row.id]),
            meta=row.meta,
        )
        for row in connection.execute(query)
    }
    return [found[item_id] for item_id in ids if item_id in found]


def _candidates(connection: Connection, ids: Sequence[int]) -> dict[int, list[CandidateView]]:
    query = select(Candidate.__table__).where(Candidate.item_id.in_(ids)).order_by(Candidate.id)
    grouped = defaultdict(list)
    for row in connection.execute(query):
        grouped[row.item_id].append(
            CandidateView(row.id, row.text, row.author, row.length, row.tokens, row.reference)
        )
    return grouped


def _pairs(connection: Connection, ids: Sequence[int]) -> dict[int, list[PairView]]:
    query = select(Pair.__table__).where(Pair.item_id.in_(ids)).order_by(Pair.id)
    grouped = defaultdict(list)
    for row in connection.execute(query):
        grouped[row.item_id].append(
            PairView(row.id, row.first_id, row.second_id, row.source_choice_id, row.votes)
        )
    return grouped


def _counts(connection: Connection, query: Select) -> dict[int, int]:
    return {row[0]: row[1] for row in connection.execute(query)}


def _filtered(query: Select, dataset: str | None, search: str, labelled: bool | None) -> Select:
    if dataset is not None:
        of_name = select(Dataset.id).where(Dataset.name == dataset).scalar_subquery()
        query = query.where(Item.dataset_id == of_name)
    for word in search.split():
        query = query.where(_mentions(word))
    if labelled is not None:
        voted = select(Pair.id).where(Pair.item_id == Item.id, Pair.votes > 0).exists()
        query = query.where(voted if labelled else ~voted)
    return query


def _mentions(word: str):
    """Items whose id, question or an answer contains `word`, whatever its case."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{escaped}%"
    in_answer = (
        select(Candidate.id)
        .where(Candidate.item_id == Item.id, Candidate.text.ilike(pattern, escape=LIKE_ESCAPE))
        .exists()
    )
    return or_(
        Item.question.ilike(pattern, escape=LIKE_ESCAPE),
        Item.external_id.ilike(pattern, escape=LIKE_ESCAPE),
        in_answer,
    )
