"""Labels of another workspace: the answers that stand there, brought to the same pairs here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, func, select

from studio.annotation.database.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Dataset,
    Item,
    Label,
    Pair,
)
from studio.annotation.labeling import labels
from studio.annotation.labeling.answer_validation import LONGEST_MS
from studio.annotation.labeling.pair_card import EDIT, IDEAL
from studio.annotation.library.import_rows import CHUNK, text_hash
from studio.annotation.library.import_staging import unpublished
from studio.annotation.records import LabelEvent, details_of
from studio.core.errors import ConflictError

Text = tuple[str, str]
"""Who wrote an answer, and the hash of what it said when it was imported."""


@dataclass(frozen=True)
class ForeignLabel:
    """One answer that stands in another workspace.

    `event` has the key, the annotator and everything said, but no id of a pair or an answer.
    """

    item: str
    sides: frozenset[Text]
    winner: Text | None
    left: Text | None
    event: LabelEvent
    given_at: float


@dataclass(frozen=True)
class Brought:
    """What came of labels.

    Attributes:
        added: Labels that are new here.
        unchanged: Labels brought before.
        answered: Left out: their annotator has answered the pair here.
        homeless: Left out: their pair is not here.
    """

    added: int = 0
    unchanged: int = 0
    answered: int = 0
    homeless: int = 0

    def __add__(self, other: Brought) -> Brought:
        return Brought(
            self.added + other.added,
            self.unchanged + other.unchanged,
            self.answered + other.answered,
            self.homeless + other.homeless,
        )


def described(brought: Brought) -> str:
    """Say in words what came of labels."""
    words = [f"{brought.added:,} added"]
    words += [f"{brought.unchanged:,} already there"] if brought.unchanged else []
    words += [f"{brought.answered:,} answered here meanwhile"] if brought.answered else []
    words += [f"{brought.homeless:,} of pairs that are not here"] if brought.homeless else []
    return ", ".join(words)


def annotators(connection: Connection, dataset: str) -> dict[str, int]:
    """Count the answers of each annotator that stand in a dataset."""
    standing = _standing(dataset).subquery()
    query = (
        select(Annotator.name, func.count())
        .join(standing, standing.c.annotator_id == Annotator.id)
        .group_by(Annotator.name)
        .order_by(Annotator.name)
    )
    return {name: count for name, count in connection.execute(query)}


def standing_labels(connection: Connection, dataset: str) -> Iterator[ForeignLabel]:
    """Yield the answers that stand in a dataset, oldest first."""
    query = (
        _standing(dataset)
        .add_columns(Annotator.name.label("annotator"), Item.external_id)
        .add_columns(Pair.first_id, Pair.second_id)
        .add_columns(EDIT.text.label("edit"), IDEAL.text.label("ideal"))
        .join(Annotator, Annotator.id == Label.annotator_id)
        .outerjoin(EDIT, EDIT.id == Label.edit_id)
        .outerjoin(IDEAL, IDEAL.id == Label.ideal_id)
    )
    rows = connection.execute(query.order_by(Label.id)).all()
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        texts = _texts(connection, some, as_now=True)
        yield from (_label(row, texts) for row in some)


def bring(connection: Connection, dataset: str, given: Sequence[ForeignLabel]) -> Brought:
    """Save labels, a chunk in one transaction, each under its own key, name and time.

    A key that is here already changes nothing, so labels can go back and forth.
    """
    pairs = _pairs(connection, dataset, {label.item for label in given})
    done = Brought()
    for label in given:
        target = pairs.get((label.item, label.sides))
        done += _bring(connection, label, target) if target else Brought(homeless=1)
    return done


def _bring(connection: Connection, label: ForeignLabel, target: tuple[int, dict[Text, int]]):
    pair, ids = target
    known = select(Label.id).where(Label.key == label.event.key)
    if connection.execute(known).first():
        return Brought(unchanged=1)
    event = replace(
        label.event,
        pair_id=pair,
        winner_id=ids[label.winner] if label.winner else None,
        shown_left_id=ids[label.left] if label.left else None,
    )
    try:
        labels.save(connection, event, label.given_at)
    except ConflictError:  # what somebody said here stands above what they said there
        return Brought(answered=1)
    return Brought(added=1)


def _standing(dataset: str):
    return (
        select(Label.__table__)
        .join(CurrentLabel, CurrentLabel.label_id == Label.id)
        .join(Pair, Pair.id == Label.pair_id)
        .join(Item, Item.id == Pair.item_id)
        .join(Dataset, Dataset.id == Item.dataset_id)
        .where(Dataset.name == dataset, Item.deleted_at.is_(None))
    )


def _texts(connection: Connection, pairs: Sequence, *, as_now: bool = False) -> dict[int, Text]:
    """The answers of pairs, as they were imported or, with `as_now`, as they were edited last."""
    ids = {number for pair in pairs for number in (pair.first_id, pair.second_id)}
    query = select(Candidate.id, Candidate.author, Candidate.text, Candidate.text_hash)
    return {
        row.id: (row.author, text_hash(row.text) if as_now else row.text_hash)
        for row in connection.execute(query.where(Candidate.id.in_(ids)))
    }


def _label(row, texts: dict[int, Text]) -> ForeignLabel:
    event = LabelEvent(
        key=row.key,
        pair_id=0,
        annotator=row.annotator,
        kind=row.kind,
        elapsed_ms=row.elapsed_ms if 0 <= (row.elapsed_ms or 0) <= LONGEST_MS else None,
        **details_of(row),
    )
    return ForeignLabel(
        item=row.external_id,
        sides=frozenset((texts[row.first_id], texts[row.second_id])),
        winner=texts.get(row.winner_id),
        left=texts.get(row.shown_left_id),
        event=event,
        given_at=row.created_at,
    )


def _pairs(
    connection: Connection, dataset: str, items: set[str]
) -> dict[tuple[str, frozenset[Text]], tuple[int, dict[Text, int]]]:
    """By item and answers: our pair, and the ids of its answers."""
    query = (
        select(Pair.id, Pair.first_id, Pair.second_id, Item.external_id)
        .join(Item, Item.id == Pair.item_id)
        .join(Dataset, Dataset.id == Item.dataset_id)
        .where(Dataset.name == dataset, Item.external_id.in_(bindparam("items", expanding=True)))
        .where(Pair.origin == "", Pair.batch.not_in(unpublished()))
    )
    rows = connection.execute(query, {"items": list(items)}).all()
    texts = _texts(connection, rows)
    pairs = {}
    for row in rows:
        ids = {texts[row.first_id]: row.first_id, texts[row.second_id]: row.second_id}
        pairs[row.external_id, frozenset(ids)] = (row.id, ids)
    return pairs
