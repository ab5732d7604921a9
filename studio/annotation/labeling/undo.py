"""Taking an answer back: an event of its own, after which the answer before it stands again."""

from __future__ import annotations

from sqlalchemy import Connection, Row, exists, func, select
from sqlalchemy.orm import aliased

from studio.annotation.database.tables import Dataset, Label, Pair
from studio.annotation.labeling import assignment
from studio.annotation.labeling import label_events as events
from studio.annotation.labeling.label_events import UNDO
from studio.annotation.labeling.projection import project_pairs
from studio.annotation.quality import gold
from studio.annotation.records import Saved


def undo(
    connection: Connection,
    annotator: str,
    key: str,
    pair: int | None,
    now: float,
    repeat: bool | None = None,
    dataset: str | None = None,
) -> Saved | None:
    """Take back the annotator's latest answer that was not undone; None when there is none.

    What (pair, annotator) said before it stands again. The pair is held for them anew.

    Args:
        key: The same key again gives the same answer and changes nothing.
        pair: Only an answer about this pair.
        repeat: Only an answer to a second showing (True), or to a first (False).
        dataset: Only an answer about a pair of this dataset.

    Raises:
        ConflictError: The key belongs to another event.
    """
    who = assignment.annotator_id(connection, annotator, now)
    if earlier := events.by_key(connection, key):
        if earlier.annotator_id != who or earlier.kind != UNDO:
            raise events.key_taken()
        return events.saved_before(earlier)
    last = _latest(connection, who, pair, repeat, dataset)
    if last is None:
        return None
    saved = events.append(
        connection,
        now,
        key=key,
        pair_id=last.pair_id,
        annotator_id=who,
        # It grows although an older answer stands again: another tab must notice that it is stale.
        version=events.version_of(connection, last.pair_id, who) + 1,
        kind=UNDO,
        undoes_id=last.id,
    )
    if last.repeat:
        standing = _standing(connection, last.pair_id, who, repeat=True)
        gold.answer_repeat(connection, last.pair_id, who, standing)
        events.set_version(connection, last.pair_id, who, saved.version)
        return saved
    standing = _standing(connection, last.pair_id, who)
    events.set_standing(connection, last.pair_id, who, standing, saved.version)
    project_pairs(connection, [last.pair_id])
    assignment.lease(connection, last.pair_id, who, now)
    return saved


def undid_repeat(connection: Connection, saved: Saved) -> bool:
    """Return whether an undo took back the answer to a second showing."""
    undone = aliased(Label)
    query = (
        select(undone.repeat)
        .join(Label, Label.undoes_id == undone.id)
        .where(Label.id == saved.label_id)
    )
    return bool(connection.execute(query).scalar())


def _latest(
    connection: Connection, who: int, pair: int | None, repeat: bool | None, dataset: str | None
) -> Row | None:
    """The latest answer of `who` that was not undone, of all pairs, of a dataset's or of one."""
    undoing = aliased(Label)
    query = (
        select(Label.id, Label.pair_id, Label.repeat)
        .where(Label.annotator_id == who, Label.kind != UNDO)
        .where(~exists(select(undoing.id).where(undoing.undoes_id == Label.id)))
        .order_by(Label.id.desc())
        .limit(1)
    )
    if pair is not None:
        query = query.where(Label.pair_id == pair)
    if dataset is not None:
        query = query.join(Pair, Pair.id == Label.pair_id)
        query = query.join(Dataset, Dataset.id == Pair.dataset_id).where(Dataset.name == dataset)
    if repeat is not None:
        query = query.where(Label.repeat.is_(repeat))
    return connection.execute(query).first()


def _standing(connection: Connection, pair: int, who: int, *, repeat: bool = False) -> int | None:
    """The latest answer that has not been undone, to the first showing or to the second."""
    undone = select(Label.undoes_id).where(
        Label.pair_id == pair, Label.annotator_id == who, Label.undoes_id.is_not(None)
    )
    return connection.execute(
        select(func.max(Label.id)).where(
            Label.pair_id == pair,
            Label.annotator_id == who,
            Label.kind != UNDO,
            Label.repeat.is_(repeat),
            Label.id.not_in(undone),
        )
    ).scalar()
