"""Saving an answer: append an event, then bring the projections up to date."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select
from sqlalchemy.orm import aliased

from studio.annotation.database.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Dataset,
    Label,
    Pair,
)
from studio.annotation.database.team_tables import Guideline
from studio.annotation.labeling import assignment, written_answers
from studio.annotation.labeling import label_events as events
from studio.annotation.labeling.answer_validation import ensure_fits, ensure_spans_fit, utf16_length
from studio.annotation.labeling.project_settings import stored
from studio.annotation.labeling.projection import COLUMNS, project_pair, vote_of
from studio.annotation.labeling.showings import SECRET, Viewer, no_such_pair
from studio.annotation.library import blinding
from studio.annotation.quality import gold
from studio.annotation.records import VOTES, WRITTEN, LabelEvent, Saved, details_of
from studio.core.errors import ConflictError, InputError

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
        SECRET.label("secret"),
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
    given = {"pair": event.pair_id, "annotator": event.annotator, "key": event.key}
    pair = connection.execute(LOOK, given).first()
    if pair is None:
        raise no_such_pair(event.pair_id)
    who = pair.who or assignment.annotator_id(connection, event.annotator, now)
    # A client that got no reply asks again: it must hear what it would have heard, not a conflict.
    if pair.earlier_id:
        return _repeated(connection, event, who), who
    ensure_fits(event, pair)
    ensure_spans_fit(event.spans, _lengths(connection, event, pair))
    # The write lock is held since before `pair` was read: nothing comes between look and write.
    version = pair.version or 0
    if version != event.expected_version:
        raise ConflictError(
            "You answered this pair elsewhere in the meantime.",
            remedy="The other answer stands; look at it, then answer again to replace it.",
        )
    event = replace(event, guideline=_known_guideline(connection, pair, event.guideline))
    made = None
    if event.edit.strip() or event.ideal.strip():
        made = written_answers.write(connection, pair.item_id, event, now)
    if event.repeat:
        return _save_repeat(connection, event, who, version, made, now), who
    informed = version > 0 and stored(pair.overlap, pair.settings).show_authors
    informed = informed or blinding.has_seen(connection, event.annotator, pair.dataset_id)
    values = _values(event, who, version, made)
    saved = events.append(connection, now, informed=informed, **values)
    if made is not None:
        written_answers.add_pairs(connection, made, saved.label_id, pair, event.winner_id, now)
    events.set_standing(connection, saved.pair_id, who, saved.label_id, saved.version)
    project_pair(connection, pair, vote_of(event.kind, event.winner_id, event.flagged))
    assignment.release(connection, event.pair_id, who)
    return _checked_by_gold(connection, event, pair, who, saved), who


def _lengths(connection: Connection, event: LabelEvent, pair: Row) -> dict[int, int]:
    """Of the pair's answers, how long they are; read only where something is marked."""
    if not event.spans:
        return {}
    both = select(Candidate.id, Candidate.text).where(
        Candidate.id.in_((pair.first_id, pair.second_id))
    )
    return {row.id: utf16_length(row.text) for row in connection.execute(both)}


def _repeated(connection: Connection, event: LabelEvent, who: int) -> Saved:
    """What was said when an event with this key was saved: a client that asks again."""
    earlier = events.by_key(connection, event.key)
    if earlier is None:  # it is not there after all
        raise events.key_taken()
    same = (earlier.annotator_id, earlier.pair_id, earlier.kind, earlier.winner_id)
    if same != (who, event.pair_id, event.kind, event.winner_id):
        raise events.key_taken()
    return events.saved_before(earlier)


def _save_repeat(
    connection: Connection,
    event: LabelEvent,
    who: int,
    version: int,
    made: written_answers.WrittenAnswer | None,
    now: float,
) -> Saved:
    """What was written with it is kept with the answer and makes no pairs: it does not count."""
    saved = events.append(connection, now, **_values(event, who, version, made))
    if not gold.answer_repeat(connection, event.pair_id, who, saved.label_id):
        raise InputError("This pair is not to be answered twice.", remedy="Reload the page.")
    events.set_version(connection, event.pair_id, who, saved.version)
    return saved


def _known_guideline(connection: Connection, pair: Row, told: int) -> int:
    """The version of the guidelines that a page tells of, no newer than the newest there is."""
    if told <= 0:
        return 0
    query = select(func.max(Guideline.version)).where(Guideline.dataset_id == pair.dataset_id)
    return min(told, connection.execute(query).scalar() or 0)


def _values(
    event: LabelEvent, who: int, version: int, made: written_answers.WrittenAnswer | None
) -> dict[str, Any]:
    return {
        "key": event.key,
        "pair_id": event.pair_id,
        "annotator_id": who,
        "version": version + 1,
        "kind": event.kind,
        "winner_id": event.winner_id,
        "elapsed_ms": event.elapsed_ms,
        "shown_left_id": event.shown_left_id,
        "repeat": event.repeat,
        "aspects": event.aspects or None,
        "spans": [asdict(span) for span in event.spans] or None,
        "edit_id": made and made.edit_id,
        "ideal_id": made and made.ideal_id,
        "guideline": event.guideline or None,
        **{name: value for name, value in details_of(event).items() if name not in WRITTEN},
    }


def _checked_by_gold(
    connection: Connection, event: LabelEvent, pair: Row, who: int, saved: Saved
) -> Saved:
    """Plans the second showing of ordinary pairs; says what a gold pair has to say."""
    settings = stored(pair.overlap, pair.settings)
    if not pair.gold:
        share = 0.0 if settings.show_authors else settings.repeat_share
        drawn = gold.is_repeated(Viewer(pair.secret, event.annotator), pair.id, share)
        # Only a first answer: one that replaces another has been thought over already.
        if event.kind in VOTES and drawn and saved.version == 1:
            gold.plan_repeat(connection, pair.id, who, saved.label_id)
        return saved
    if not settings.gold_feedback:
        return saved
    feedback = gold.feedback(connection, pair.id, event.kind, event.winner_id)
    return replace(saved, feedback=feedback)
