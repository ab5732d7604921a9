"""The order in which the pairs of a dataset are handed out: by what a label of each is worth.

A share of the pairs is drawn by lot beforehand and has its turn whatever the others are worth. Its
labels say how good answers and people really are; those of pairs that were chosen do not. Reached
as `AnnotationStore.order`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from studio.annotation.database.connection import Database
from studio.annotation.database.tables import LAST_PLACE, Item, ItemTag, Label, Pair
from studio.annotation.labeling.pair_card import cards
from studio.annotation.labeling.project_settings import project
from studio.annotation.labeling.showings import viewer
from studio.annotation.library.import_staging import unpublished
from studio.annotation.quality import audit_log
from studio.annotation.records import VOTES, PairCard

RANDOM, RANKED = "random", "ranked"
"""Why it was a pair's turn, as it is kept with what was handed out."""
LOT = "queue order"
WRITTEN_AT_ONCE = 1_000
_PLACED = (
    update(Pair)
    .where(Pair.id == bindparam("pair"), Pair.open.is_(True))
    .values(place=bindparam("new_place"), sampled=bindparam("new_sampled"))
)


@dataclass(frozen=True)
class QueueState:
    """How the pairs of a dataset wait.

    Attributes:
        ranked: Pairs that wait in order of what they are worth.
        random: Pairs of the random share that wait.
        unordered: Pairs that came since, behind all others.
        labels: Answers given to the dataset so far, of whatever kind counts.
    """

    ranked: int = 0
    random: int = 0
    unordered: int = 0
    labels: int = 0

    @property
    def ordered(self) -> bool:
        """Whether any pair waits in an order."""
        return bool(self.ranked or self.random)


class QueueOrder:
    """What a store knows of the order of its pairs."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def waiting(self, dataset: str) -> list[int]:
        """List the pairs that wait for answers, oldest first. Raises NotFoundError."""
        with self._database.read() as connection:
            number = project(connection, dataset).id
            return list(connection.execute(_waiting(number).order_by(Pair.id)).scalars())

    def cards(self, pairs: Sequence[int]) -> list[PairCard]:
        """Read pairs as they are shown, blind; those that are gone are left out."""
        with self._database.read() as connection:
            return cards(connection, [(pair, False) for pair in pairs], LOT)

    def by_lot(self, dataset: str) -> set[int]:
        """List the pairs of the random share that wait. Raises NotFoundError."""
        with self._database.read() as connection:
            number = project(connection, dataset).id
            query = _waiting(number).where(Pair.sampled.is_(True))
            return set(connection.execute(query).scalars())

    def arrange(self, lead: str, dataset: str, worth: Mapping[int, float]) -> QueueState:
        """Put the pairs that wait into an order: the random share by lot, the others by worth.

        Pairs with one of the project's `first_tags` come before the others that are ranked. What
        somebody holds stays theirs. It is written some pairs at a time, the first of the queue
        first, so that nobody who labels waits long; one that is cut short leaves a queue that
        works.

        Args:
            worth: By pair; those that are not in it come last.

        Raises:
            NotFoundError: There is no such dataset.
        """
        with self._database.read() as connection:
            one = project(connection, dataset)
            settings = one.settings
            pairs = list(connection.execute(_waiting(one.id).order_by(Pair.id)).scalars())
            tagged = _tagged(connection, one.id, settings.first_tags)
            draw = viewer(connection, LOT).draw
        lots = {pair: draw(str(pair)) for pair in pairs}
        line = queue_line(lots, settings.random_share, worth, tagged)
        for start in range(0, len(line), WRITTEN_AT_ONCE):
            values = [
                {"pair": pair, "new_place": place, "new_sampled": sampled}
                for place, (pair, sampled) in enumerate(
                    line[start : start + WRITTEN_AT_ONCE], start + 1
                )
            ]
            with self._database.write() as connection:
                connection.execute(_PLACED, values)
        found = {"pairs": len(line), "random": sum(sampled for _, sampled in line)}
        with self._database.write() as connection:
            audit_log.note(connection, lead, "order queue", dataset, found, self._clock())
        return self.state(dataset)

    def clear(self, lead: str, dataset: str) -> None:
        """Hand pairs out in the order in which they came again. Raises NotFoundError."""
        with self._database.write() as connection:
            number = project(connection, dataset).id
            placed = (Pair.dataset_id == number, Pair.place < LAST_PLACE)
            connection.execute(update(Pair).where(*placed).values(place=LAST_PLACE, sampled=False))
            audit_log.note(connection, lead, "end order of queue", dataset, {}, self._clock())

    def state(self, dataset: str) -> QueueState:
        """Count how the pairs of a dataset wait. Raises NotFoundError."""
        with self._database.read() as connection:
            number = project(connection, dataset).id
            ordered = Pair.place < LAST_PLACE
            ranked, sampled, others = connection.execute(
                _waiting(number).with_only_columns(
                    func.count().filter(ordered, Pair.sampled.is_(False)),
                    func.count().filter(ordered, Pair.sampled.is_(True)),
                    func.count().filter(~ordered),
                )
            ).one()
            return QueueState(ranked, sampled, others, _labels(connection, number))


def queue_line(
    lots: Mapping[int, float],
    share: float,
    worth: Mapping[int, float],
    first: Iterable[int] = (),
) -> list[tuple[int, bool]]:
    """Return the pairs in the order of the queue, each with whether it is of the random share.

    The random share is a subset drawn by lot: it does not depend on worth, and a larger share
    holds the smaller one. Its pairs come in the order of their lots, spread evenly, so that those
    answered so far are a random sample at any time.

    Args:
        lots: A number from 0 to 1 for each pair, the same every time.
        worth: Those with the most come first; pairs without come last.
        first: Pairs that come before all others that are ranked.
    """
    ahead = frozenset(first)
    lowest = float("-inf")
    drawn = sorted((pair for pair in lots if lots[pair] < share), key=lots.__getitem__)
    chosen = sorted(
        (pair for pair in lots if lots[pair] >= share),
        key=lambda pair: (pair not in ahead, -worth.get(pair, lowest), lots[pair]),
    )
    line: list[tuple[int, bool]] = []
    total, taken = len(lots), 0
    for place in range(1, total + 1):
        # As many of the random share by now as there would be if it were spread evenly.
        if taken * total < place * len(drawn) or place - taken > len(chosen):
            line.append((drawn[taken], True))
            taken += 1
        else:
            line.append((chosen[place - taken - 1], False))
    return line


def _waiting(dataset_id: int):
    return select(Pair.id).where(
        Pair.open.is_(True),
        Pair.hidden.is_(False),
        Pair.dataset_id == dataset_id,
        Pair.batch.not_in(unpublished()),
    )


def _tagged(connection: Connection, dataset_id: int, tags: Sequence[str]) -> set[int]:
    if not tags:
        return set()
    query = (
        select(Pair.id)
        .join(Item, Item.id == Pair.item_id)
        .join(ItemTag, ItemTag.item_id == Item.id)
        .where(Pair.dataset_id == dataset_id, ItemTag.tag.in_(tags))
    )
    return set(connection.execute(query).scalars())


def _labels(connection: Connection, dataset_id: int) -> int:
    query = (
        select(func.count())
        .select_from(Label)
        .join(Pair, Pair.id == Label.pair_id)
        .where(Pair.dataset_id == dataset_id, Label.kind.in_(VOTES))
    )
    return connection.execute(query).scalar_one()
