"""Looking through items: keyset pages, counts, and what there is to filter by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Select, case, func, select

from studio.annotation.database.search_text import prompt_from_json
from studio.annotation.database.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Dataset,
    ImportBatch,
    Item,
    ItemTag,
    Label,
    Pair,
)
from studio.annotation.library.filters import filtered
from studio.annotation.library.import_staging import unpublished
from studio.annotation.records import (
    VOTES,
    CandidateView,
    DatasetView,
    Facets,
    ItemFilter,
    ItemView,
    Order,
    PairView,
)
from studio.core.errors import NotFoundError
from studio.data.schema import Message


def datasets(connection: Connection) -> list[DatasetView]:
    """List every dataset in the order they were made, without what is staged or in the bin."""
    query = select(Item.dataset_id, func.count()).where(
        Item.deleted_at.is_(None), Item.batch.not_in(unpublished())
    )
    items = {row[0]: row[1] for row in connection.execute(query.group_by(Item.dataset_id))}
    waiting = func.sum(case((Pair.open, 1), else_=0))
    labelled = func.sum(case((Pair.votes > 0, 1), else_=0))
    counted = select(Pair.dataset_id, func.count(), labelled, waiting).where(
        Pair.hidden.is_(False), Pair.origin == "", Pair.batch.not_in(unpublished())
    )
    pairs = {row[0]: row[1:] for row in connection.execute(counted.group_by(Pair.dataset_id))}
    named = select(Dataset.id, Dataset.name).where(Dataset.staged.is_(False))
    return [
        DatasetView(row.id, row.name, items.get(row.id, 0), *pairs.get(row.id, (0, 0, 0)))
        for row in connection.execute(named.order_by(Dataset.id))
    ]


def browse(
    connection: Connection, where: ItemFilter, order: Order, after: int | None, limit: int
) -> list[ItemView]:
    """Read the next `limit` items after the item with the id `after`."""
    return items(connection, ids(connection, where, order, after, limit))


def ids(
    connection: Connection,
    where: ItemFilter,
    order: Order = "oldest",
    after: int | None = None,
    limit: int | None = None,
) -> list[int]:
    """List the ids of the items that `where` lets through, in order."""
    query = filtered(connection, select(Item.id), where)
    keys = (Item.length, Item.id) if order in ("shortest", "longest") else (Item.id,)
    descending = order in ("newest", "longest")
    if after is not None:
        query = query.where(_beyond(connection, keys, after, descending))
    query = query.order_by(*(key.desc() if descending else key for key in keys)).limit(limit)
    return list(connection.execute(query).scalars())


def count(connection: Connection, where: ItemFilter, most: int | None = None) -> int:
    """Count the items that `where` lets through, no further than `most`."""
    matching = filtered(connection, select(Item.id), where).limit(most).subquery()
    return connection.execute(select(func.count()).select_from(matching)).scalar_one()


def facets(connection: Connection, dataset: str | None) -> Facets:
    """List what there is to filter by."""
    where = ItemFilter(dataset=dataset)
    splits = filtered(connection, select(Item.split).distinct(), where)
    sources = select(ImportBatch.source).distinct().where(ImportBatch.source != "")
    if dataset is not None:
        sources = sources.join(Dataset, Dataset.id == ImportBatch.dataset_id)
        sources = sources.where(Dataset.name == dataset)

    def words(query: Select) -> tuple[str, ...]:
        return tuple(sorted(filter(None, connection.execute(query).scalars())))

    return Facets(
        sources=words(sources),
        splits=words(splits),
        tags=words(select(ItemTag.tag).distinct()),
        annotators=words(select(Annotator.name)),
    )


def item(connection: Connection, item_id: int) -> ItemView:
    """Read one item, also from the bin.

    Raises:
        NotFoundError: There is none with this id.
    """
    views = items(connection, [item_id])
    if not views:
        raise NotFoundError(f"There is no item {item_id}.", remedy="Reload the list.")
    return views[0]


def items(connection: Connection, ids: Sequence[int]) -> list[ItemView]:
    """Read items with their candidates and pairs, in the order of `ids`, in a few queries."""
    votes = _votes(connection, ids)
    candidates, pairs = _candidates(connection, ids), _pairs(connection, ids, votes)
    tagged = select(ItemTag.item_id, ItemTag.tag).where(ItemTag.item_id.in_(ids))
    tags = defaultdict(list)
    for row in connection.execute(tagged.order_by(ItemTag.tag)):
        tags[row.item_id].append(row.tag)
    query = (
        select(Item.__table__, Dataset.name.label("dataset"), ImportBatch.source)
        .join(Dataset, Dataset.id == Item.dataset_id)
        .outerjoin(ImportBatch, ImportBatch.id == Item.batch)
        .where(Item.id.in_(ids), Item.batch.not_in(unpublished()))
    )
    views = {
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
            split=row.split,
            source=row.source or "",
            flagged=row.flagged,
            excluded=row.excluded,
            deleted=row.deleted_at is not None,
            revision=row.revision,
            tags=tuple(tags[row.id]),
            agreement=_agreement(votes.get(row.id, {})),
        )
        for row in connection.execute(query)
    }
    return [views[item_id] for item_id in ids if item_id in views]


def prompts(
    connection: Connection, dataset: str, external_ids: Sequence[str]
) -> dict[str, tuple[tuple[str, ...], tuple[Message, ...]]]:
    """Read images and prompts of items as they are now, by the items' ids in their source.

    Those in the bin are left out.
    """
    query = (
        select(Item.external_id, Item.images, Item.prompt)
        .join(Dataset, Dataset.id == Item.dataset_id)
        .where(
            Dataset.name == dataset,
            Item.external_id.in_(external_ids),
            Item.deleted_at.is_(None),
            Item.batch.not_in(unpublished()),
        )
    )
    return {
        row.external_id: (tuple(row.images), prompt_from_json(row.prompt))
        for row in connection.execute(query)
    }


def _beyond(connection: Connection, keys: tuple, after: int, descending: bool):
    """What lies after an item in an order by `keys`, the last of which is the id."""
    if len(keys) == 1:
        return keys[0] < after if descending else keys[0] > after
    length = connection.execute(select(Item.length).where(Item.id == after)).scalar() or 0
    if descending:
        return (keys[0] <= length) & ((keys[0] < length) | (keys[1] < after))
    return (keys[0] >= length) & ((keys[0] > length) | (keys[1] > after))


def _candidates(connection: Connection, ids: Sequence[int]) -> dict[int, list[CandidateView]]:
    query = select(Candidate.__table__).where(
        Candidate.item_id.in_(ids), Candidate.batch.not_in(unpublished())
    )
    grouped = defaultdict(list)
    for row in connection.execute(query.order_by(Candidate.id)):
        grouped[row.item_id].append(
            CandidateView(
                row.id,
                row.text,
                row.author,
                row.length,
                row.tokens,
                row.reference,
                # people's answers keep something else there
                row.decoding if "model" in (row.decoding or ()) else None,
            )
        )
    return grouped


def _pairs(
    connection: Connection, ids: Sequence[int], votes: Mapping[int, Mapping[int, Counter]]
) -> dict[int, list[PairView]]:
    query = select(Pair.__table__).where(Pair.item_id.in_(ids), Pair.batch.not_in(unpublished()))
    grouped = defaultdict(list)
    for row in connection.execute(query.order_by(Pair.id)):
        grouped[row.item_id].append(
            PairView(
                row.id,
                row.first_id,
                row.second_id,
                row.source_choice_id,
                row.votes,
                _winner(votes.get(row.item_id, {}).get(row.id)),
                row.open or row.queue not in ("", "decided"),
            )
        )
    return grouped


def _votes(connection: Connection, ids: Sequence[int]) -> dict[int, dict[int, Counter]]:
    """By item and pair, how many people stand by what: a candidate's id, or another kind."""
    query = (
        select(Pair.item_id, Pair.id, Label.kind, Label.winner_id)
        .join(CurrentLabel, CurrentLabel.pair_id == Pair.id)
        .join(Label, Label.id == CurrentLabel.label_id)
        .where(Pair.item_id.in_(ids), Pair.votes > 0, Label.kind.in_(VOTES))
    )
    votes: dict[int, dict[int, Counter]] = defaultdict(lambda: defaultdict(Counter))
    for row in connection.execute(query):
        votes[row.item_id][row.id][row.winner_id or row.kind] += 1
    return votes


def _winner(votes: Counter | None) -> int | None:
    """The candidate with more votes than everything else together, as `preferences` decides."""
    if not votes:
        return None
    choice, most = votes.most_common(1)[0]
    return choice if isinstance(choice, int) and 2 * most > votes.total() else None


def _agreement(pairs: Mapping[int, Counter]) -> float | None:
    """See `ItemView.agreement`."""
    compared = [votes for votes in pairs.values() if votes.total() > 1]
    if not compared:
        return None
    agreeing = sum(votes.most_common(1)[0][1] for votes in compared)
    return agreeing / sum(votes.total() for votes in compared)
