"""Saving and undoing answers: append an event, then bring the projections up to date."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, bindparam, exists, func, insert, select, text, update
from sqlalchemy.orm import aliased

from studio.annotation import checks, claims, written
from studio.annotation.cards import cards
from studio.annotation.projection import COLUMNS, project_pair, project_pairs, vote_of
from studio.annotation.settings import stored
from studio.annotation.tables import Annotator, Candidate, CurrentLabel, Dataset, Label, Pair
from studio.annotation.views import ABSTENTIONS, VOTES, HistoryEntry, LabelEvent, Saved
from studio.errors import ConflictError, InputError, NotFoundError

UNDO = "undo"
STRENGTHS = ("", "slightly", "clearly")
MOST_SPANS = 200
EARLIER = aliased(Label)
# All that saving needs to know, in one statement: most of what one costs is not the database's.
LOOK = (
    select(
        *COLUMNS,
        Pair.dataset_id,
        Pair.item_id,
        Pair.first_id,
        Pair.second_id,
        Annotator.id.label("who"),
        CurrentLabel.version,
        EARLIER.id.label("earlier_id"),
    )
    .join(Dataset, Dataset.id == Pair.dataset_id)
    .outerjoin(Annotator, Annotator.name == bindparam("annotator"))
    .outerjoin(
        CurrentLabel,
        (CurrentLabel.pair_id == Pair.id) & (CurrentLabel.annotator_id == Annotator.id),
    )
    .outerjoin(EARLIER, EARLIER.key == bindparam("key"))
    .where(Pair.id == bindparam("pair"))
)


def save(connection: Connection, event: LabelEvent, now: float) -> tuple[Saved, int]:
    """Append `event`; the same key again gives the same answer and changes nothing.

    Returns what is saved, and the annotator's id.

    Raises:
        ConflictError: The pair got a newer answer by the same annotator elsewhere.
        InputError, NotFoundError: The event does not fit the pair.
    """
    pair = _look(connection, event)
    who = pair.who or claims.annotator_id(connection, event.annotator, now)
    if pair.earlier_id:
        return _repeated(_by_key(connection, event.key), who, event), who
    _check(event, pair)
    version = pair.version or 0
    if version != event.expected_version:
        raise _conflict()
    if event.repeat:
        return _save_repeat(connection, event, who, version, now), who
    made = _write(connection, event, pair, now)
    informed = version > 0 and stored(pair.overlap, pair.settings).show_authors
    values = _values(event, who, version, made)
    saved = _append(connection, now=now, informed=informed, **values)
    if made is not None:
        written.add_pairs(connection, made, saved.label_id, pair, event.winner_id, now)
    _stands(connection, saved.pair_id, who, saved.label_id, saved.version)
    project_pair(connection, pair, vote_of(event.kind, event.winner_id, event.flagged))
    claims.release(connection, event.pair_id, who)
    return _checked_by_gold(connection, event, pair, who, saved), who


def _checked_by_gold(connection: Connection, event: LabelEvent, pair, who: int, saved: Saved):
    """Plans the second showing of ordinary pairs; says what a gold pair has to say."""
    settings = stored(pair.overlap, pair.settings)
    if not pair.gold:
        share = 0.0 if settings.show_authors else settings.repeat_share
        drawn = checks.is_repeated(pair.id, event.annotator, share)
        # Only a first answer: one that replaces another has been thought over already.
        if event.kind in VOTES and drawn and saved.version == 1:
            checks.plan_repeat(connection, pair.id, who, saved.label_id)
        return saved
    if not settings.gold_feedback:
        return saved
    said = checks.feedback(connection, pair.id, event.kind, event.winner_id)
    return Saved(**asdict(saved) | {"feedback": said})


def _save_repeat(
    connection: Connection, event: LabelEvent, who: int, version: int, now: float
) -> Saved:
    saved = _append(connection, now=now, **_values(event, who, version, None))
    if not checks.answer_repeat(connection, event.pair_id, who, saved.label_id):
        raise InputError("This pair is not to be answered twice.", remedy="Reload the page.")
    _set_version(connection, event.pair_id, who, saved.version)
    return saved


def undo(
    connection: Connection, annotator: str, key: str, pair: int | None, now: float
) -> Saved | None:
    """Take back the annotator's latest answer that was not undone; None when there is none.

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
        now=now,
        key=key,
        pair_id=last.pair_id,
        annotator_id=who,
        version=_version(connection, last.pair_id, who) + 1,
        kind=UNDO,
        undoes_id=last.id,
    )
    if last.repeat:
        checks.answer_repeat(connection, last.pair_id, who, None)
        _set_version(connection, last.pair_id, who, saved.version)
        return saved
    standing = _standing(connection, last.pair_id, who)
    _stands(connection, last.pair_id, who, standing, saved.version)
    project_pairs(connection, [last.pair_id])
    claims.lease(connection, last.pair_id, who, now)
    return saved


def undid_repeat(connection: Connection, saved: Saved) -> bool:
    """Whether an undo took back the answer to a second showing."""
    undone = aliased(Label)
    query = (
        select(undone.repeat)
        .join(Label, Label.undoes_id == undone.id)
        .where(Label.id == saved.label_id)
    )
    return bool(connection.execute(query).scalar())


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
        .where(Label.kind != UNDO, Label.repeat.is_(False))
        .order_by(Label.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Label.id < before)
    rows = connection.execute(query).all()
    shown = {
        card.pair_id: card
        for card in cards(connection, list({row.pair_id for row in rows}), annotator)
    }
    return [
        HistoryEntry(
            label_id=row.id,
            pair_id=row.pair_id,
            dataset=shown[row.pair_id].dataset,
            question=shown[row.pair_id].question,
            kind=row.kind,
            winner=row.winner or "",
            reason=row.reason,
            created_at=row.created_at,
            current=row.standing == row.id,
        )
        for row in rows
    ]


def _latest(connection: Connection, who: int, pair: int | None):
    """The latest answer of `who` that was not undone, of all pairs or of one."""
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
    return connection.execute(query).first()


def _values(event: LabelEvent, who: int, version: int, made: written.Written | None) -> dict:
    return {
        "key": event.key,
        "pair_id": event.pair_id,
        "annotator_id": who,
        "version": version + 1,
        "kind": event.kind,
        "winner_id": event.winner_id,
        "strength": event.strength,
        "reason": event.reason,
        "comment": event.comment,
        "elapsed_ms": event.elapsed_ms,
        "shown_left_id": event.shown_left_id,
        "flagged": event.flagged,
        "repeat": event.repeat,
        "aspects": event.aspects or None,
        "spans": [asdict(span) for span in event.spans] or None,
        "edit_id": made and made.edit_id,
        "ideal_id": made and made.ideal_id,
        "guideline": event.guideline or None,
    }


ADD = insert(Label)


def _append(connection: Connection, now: float, **values) -> Saved:
    added = connection.execute(ADD, {"created_at": now, **values})
    return Saved(
        label_id=added.inserted_primary_key[0],
        key=values["key"],
        pair_id=values["pair_id"],
        kind=values["kind"],
        version=values["version"],
    )


def _write(connection: Connection, event: LabelEvent, pair, now: float) -> written.Written | None:
    if not event.edit.strip() and not event.ideal.strip():
        return None
    return written.write(
        connection,
        item_id=pair.item_id,
        annotator=event.annotator,
        edit=event.edit,
        ideal=event.ideal,
        winner_id=event.winner_id,
        now=now,
    )


BY_KEY = select(Label.__table__).where(Label.key == bindparam("key"))


def _by_key(connection: Connection, key: str):
    return connection.execute(BY_KEY, {"key": key}).first()


def _saved(row) -> Saved:
    return Saved(row.id, row.key, row.pair_id, row.kind, row.version)


def _repeated(earlier, who: int, event: LabelEvent) -> Saved:
    same = (earlier.annotator_id, earlier.pair_id, earlier.kind, earlier.winner_id)
    if same != (who, event.pair_id, event.kind, event.winner_id):
        raise _foreign_key()
    return _saved(earlier)


def _look(connection: Connection, event: LabelEvent):
    given = {"pair": event.pair_id, "annotator": event.annotator, "key": event.key}
    found = connection.execute(LOOK, given).first()
    if found is None:
        raise NotFoundError(f"There is no pair {event.pair_id}.", remedy="Reload the page.")
    return found


def _check(event: LabelEvent, pair) -> None:
    candidates = (pair.first_id, pair.second_id)
    if event.kind not in VOTES + ABSTENTIONS:
        raise InputError(f"{event.kind!r} is not a kind of answer.", field="kind")
    if not event.key or len(event.key) > 64:
        raise InputError("An answer needs a key of 1 to 64 characters.", field="key")
    if event.kind == "choose" and event.winner_id not in candidates:
        raise InputError("The chosen answer is not part of this pair.", field="winner_id")
    if event.kind != "choose" and event.winner_id is not None:
        raise InputError(f"An answer {event.kind!r} has no winner.", field="winner_id")
    if event.shown_left_id is not None and event.shown_left_id not in candidates:
        raise InputError("The answer on the left is not part of this pair.", field="shown_left_id")
    _check_details(event, pair, candidates)


def _check_details(event: LabelEvent, pair, candidates: tuple[int, int]) -> None:
    if event.strength not in STRENGTHS or (event.strength and event.kind != "choose"):
        raise InputError("Only a choice is slight or clear.", field="strength")
    if len(event.spans) > MOST_SPANS:
        raise InputError(f"More than {MOST_SPANS} pieces are marked.", field="spans")
    for span in event.spans:
        if span.candidate_id not in candidates or not 0 <= span.start < span.end:
            raise InputError("A marked piece is not part of this pair.", field="spans")
    known = stored(pair.overlap, pair.settings).aspects
    for aspect, better in event.aspects.items():
        if aspect not in known or better not in (0, *candidates):
            raise InputError(f"{aspect[:40]!r} cannot be judged here.", field="aspects")
    written.check(event.edit, event.ideal, event.winner_id)


VERSION = select(CurrentLabel.version).where(
    CurrentLabel.pair_id == bindparam("pair"), CurrentLabel.annotator_id == bindparam("who")
)


def _version(connection: Connection, pair: int, who: int) -> int:
    return connection.execute(VERSION, {"pair": pair, "who": who}).scalar() or 0


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
            Label.repeat.is_(False),
            Label.id.not_in(undone),
        )
    ).scalar()


# The same in SQLite and PostgreSQL.
STANDS = text(
    "INSERT INTO current_labels (pair_id, annotator_id, label_id, version) "
    "VALUES (:pair, :who, :label, :version) ON CONFLICT (pair_id, annotator_id) "
    "DO UPDATE SET label_id = excluded.label_id, version = excluded.version"
)


def _stands(connection: Connection, pair: int, who: int, label: int | None, version: int) -> None:
    values = {"pair": pair, "who": who, "label": label, "version": version}
    connection.execute(STANDS, values)


def _set_version(connection: Connection, pair: int, who: int, version: int) -> None:
    where = (CurrentLabel.pair_id == pair, CurrentLabel.annotator_id == who)
    connection.execute(update(CurrentLabel).where(*where).values(version=version))


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
