"""Saving and undoing answers: append an event, then bring the projections up to date."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from studio.annotation import claims
from studio.annotation.tables import Candidate, CurrentLabel, Dataset, Label, Pair
from studio.annotation.views import ABSTENTIONS, VOTES, HistoryEntry, LabelEvent, Saved
from studio.errors import ConflictError, InputError, NotFoundError

UNDO = "undo"


def save(connection: Connection, event: LabelEvent, now: float) -> Saved:
    """Append `event`; the same key again gives the same answer and changes nothing.

    Raises:
        ConflictError: The pair got a newer answer by the same annotator elsewhere.
        InputError, NotFoundError: The event does not fit the pair.
    """
    who = claims.annotator_id(connection, event.annotator, now)
    if earlier := _by_key(connection, event.key):
        return _repeated(earlier, who, event)
    pair = _pair(connection, event.pair_id)
    _check(event, pair)
    version = _version(connection, event.pair_id, who)
    if version != event.expected_version:
        raise _conflict()
    saved = _append(
        connection,
        key=event.key,
        pair_id=event.pair_id,
        annotator_id=who,
        version=version + 1,
        kind=event.kind,
        winner_id=event.winner_id,
        strength=event.strength,
        reason=event.reason,
        comment=event.comment,
        elapsed_ms=event.elapsed_ms,
        shown_left_id=event.shown_left_id,
        created_at=now,
    )
    _project(connection, saved.pair_id, who, saved.label_id, saved.version)
    claims.release(connection, event.pair_id, who)
    return saved


def undo(
    connection: Connection, annotator: str, key: str, pair: int | None, now: float
) -> Saved | None:
    """Take back the annotator's latest answer that still stands; None when there is none.

    What (pair, annotator) said before it stands again. The pair is held for them anew.
    """
    who = claims.annotator_id(connection, annotator, now)
    if earlier := _by_key(connection, key):
        if earlier.annotator_id != who or earlier.kind != UNDO:
            raise _foreign_key()
        return _saved(earlier)
    last = _latest(connection, who, pair)
    if last is None:
        return None
    saved = _append(
        connection,
        key=key,
        pair_id=last.pair_id,
        annotator_id=who,
        version=last.version + 1,
        kind=UNDO,
        undoes_id=last.label_id,
        created_at=now,
    )
    standing = _standing(connection, last.pair_id, who)
    _project(connection, last.pair_id, who, standing, saved.version)
    claims.lease(connection, last.pair_id, who, now)
    return saved


def history(
    connection: Connection, annotator: str, before: int | None, limit: int
) -> list[HistoryEntry]:
    """Answers of `annotator`, newest first, from below event `before` on."""
    query = (
        select(Label, Candidate.text.label("winner"), CurrentLabel.label_id.label("standing"))
        .outerjoin(Candidate, Candidate.id == Label.winner_id)
        .join(
            CurrentLabel,
            (CurrentLabel.pair_id == Label.pair_id)
            & (CurrentLabel.annotator_id == Label.annotator_id),
        )
        .where(Label.annotator_id == claims.find_annotator(connection, annotator))
        .where(Label.kind != UNDO)
        .order_by(Label.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Label.id < before)
    rows = connection.execute(query).all()
    cards = {
        card.pair_id: card
        for card in claims.cards(connection, list({row.pair_id for row in rows}), annotator)
    }
    return [
        HistoryEntry(
            label_id=row.id,
            pair_id=row.pair_id,
            dataset=cards[row.pair_id].dataset,
            question=cards[row.pair_id].question,
            kind=row.kind,
            winner=row.winner or "",
            reason=row.reason,
            created_at=row.created_at,
            current=row.standing == row.id,
        )
        for row in rows
    ]


def _latest(connection: Connection, who: int, pair: int | None):
    """The latest answer of `who` that stands, of all pairs or of one."""
    query = (
        select(CurrentLabel.pair_id, CurrentLabel.label_id, CurrentLabel.version)
        .where(CurrentLabel.annotator_id == who, CurrentLabel.label_id.is_not(None))
        .order_by(CurrentLabel.label_id.desc())
        .limit(1)
    )
    if pair is not None:
        query = query.where(CurrentLabel.pair_id == pair)
    return connection.execute(query).first()


def _append(connection: Connection, **values) -> Saved:
    added = connection.execute(insert(Label).values(**values))
    return Saved(
        label_id=added.inserted_primary_key[0],
        key=values["key"],
        pair_id=values["pair_id"],
        kind=values["kind"],
        version=values["version"],
    )


def _by_key(connection: Connection, key: str):
    return connection.execute(select(Label.__table__).where(Label.key == key)).first()


def _saved(row) -> Saved:
    return Saved(row.id, row.key, row.pair_id, row.kind, row.version)


def _repeated(earlier, who: int, event: LabelEvent) -> Saved:
    same = (earlier.annotator_id, earlier.pair_id, earlier.kind, earlier.winner_id)
    if same != (who, event.pair_id, event.kind, event.winner_id):
        raise _foreign_key()
    return _saved(earlier)


@dataclass(frozen=True)
class _PairIds:
    id: int
    candidates: tuple[int, int]


def _pair(connection: Connection, pair: int) -> _PairIds:
    query = select(Pair.first_id, Pair.second_id).where(Pair.id == pair)
    found = connection.execute(query).first()
    if found is None:
        raise NotFoundError(f"There is no pair {pair}.", remedy="Reload the page.")
    return _PairIds(pair, (found.first_id, found.second_id))


def _check(event: LabelEvent, pair: _PairIds) -> None:
    if event.kind not in VOTES + ABSTENTIONS:
        raise InputError(f"{event.kind!r} is not a kind of answer.", field="kind")
    if not event.key or len(event.key) > 64:
        raise InputError("An answer needs a key of 1 to 64 characters.", field="key")
    if event.kind == "choose" and event.winner_id not in pair.candidates:
        raise InputError("The chosen answer is not part of this pair.", field="winner_id")
    if event.kind != "choose" and event.winner_id is not None:
        raise InputError(f"An answer {event.kind!r} has no winner.", field="winner_id")
    if event.shown_left_id is not None and event.shown_left_id not in pair.candidates:
        raise InputError("The answer on the left is not part of this pair.", field="shown_left_id")


def _version(connection: Connection, pair: int, who: int) -> int:
    query = select(CurrentLabel.version).where(
        CurrentLabel.pair_id == pair, CurrentLabel.annotator_id == who
    )
    return connection.execute(query).scalar() or 0


def _standing(connection: Connection, pair: int, who: int) -> int | None:
    """The latest answer that has not been undone."""
    undone = select(Label.undoes_id).where(
        Label.pair_id == pair, Label.annotator_id == who, Label.undoes_id.is_not(None)
    )
    return connection.execute(
        select(func.max(Label.id)).where(
            Label.pair_id == pair,
            Label.annotator_id == who,
            Label.kind != UNDO,
            Label.id.not_in(undone),
        )
    ).scalar()


def _project(connection: Connection, pair: int, who: int, label: int | None, version: int) -> None:
    where = (CurrentLabel.pair_id == pair, CurrentLabel.annotator_id == who)
    changed = connection.execute(
        update(CurrentLabel).where(*where).values(label_id=label, version=version)
    )
    if changed.rowcount == 0:
        connection.execute(
            insert(CurrentLabel).values(
                pair_id=pair, annotator_id=who, label_id=label, version=version
            )
        )
    votes = (
        select(func.count())
        .select_from(CurrentLabel)
        .join(Label, Label.id == CurrentLabel.label_id)
        .where(CurrentLabel.pair_id == pair, Label.kind.in_(VOTES))
        .scalar_subquery()
    )
    connection.execute(update(Pair).where(Pair.id == pair).values(votes=votes))
    overlap = select(Dataset.overlap).where(Dataset.id == Pair.dataset_id).scalar_subquery()
    connection.execute(update(Pair).where(Pair.id == pair).values(open=Pair.votes < overlap))


def _conflict() -> ConflictError:
    return ConflictError(
        "You answered this pair elsewhere in the meantime.",
        remedy="The other answer stands; look at it, then answer again to replace it.",
    )


def _foreign_key() -> ConflictError:
    return ConflictError(
        "This key already belongs to another answer.",
        remedy="Reload the page and answer again.",
    )
