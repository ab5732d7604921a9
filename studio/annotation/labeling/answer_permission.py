"""Whose answer to which pair is taken, and who may look at it: only what was handed out to them."""

from __future__ import annotations

from sqlalchemy import Connection, Row, bindparam, or_, select

from studio.annotation.database.tables import Annotator, CurrentLabel, Lease, Pair
from studio.annotation.labeling import showings
from studio.annotation.labeling.pair_card import card
from studio.annotation.labeling.project_settings import projects
from studio.annotation.labeling.showings import not_yours
from studio.annotation.library.import_staging import unpublished
from studio.annotation.quality import gold
from studio.annotation.records import LabelEvent, PairCard, SideAnswer

LOOK = (
    select(
        Pair.id,
        Pair.dataset_id,
        Pair.first_id,
        Pair.second_id,
        Pair.origin,
        Pair.open,
        Pair.hidden,
        Pair.gold,
        Annotator.id.label("who"),
        Lease.pair_id.label("handed"),
        Lease.expires_at,
        Lease.again_at,
        Lease.plain,
        CurrentLabel.version.label("answered"),
    )
    .select_from(Pair)
    .join(Annotator, Annotator.name == bindparam("annotator"))
    .outerjoin(Lease, (Lease.pair_id == Pair.id) & (Lease.annotator_id == Annotator.id))
    .outerjoin(
        CurrentLabel,
        (CurrentLabel.pair_id == Pair.id) & (CurrentLabel.annotator_id == Annotator.id),
    )
    .where(Pair.id == bindparam("pair"), Pair.origin == "")
    .where(or_(Pair.batch == 0, Pair.batch.not_in(unpublished())))
    # What was handed out, or answered when nobody noted yet what was.
    .where(or_(Lease.pair_id.is_not(None), CurrentLabel.pair_id.is_not(None)))
)


def admitted(connection: Connection, answer: SideAnswer | LabelEvent) -> LabelEvent:
    """Check the answer of a page, and return the event to be saved.

    It may come late: what was handed out may be closed, decided or excluded by now. An answer in
    the words of the version before (a `LabelEvent`) waited in a browser while the studio was
    brought up to date; it is taken of what was handed out before.

    Raises:
        InputError: It names a showing that there was not.
        NotFoundError: The pair was never given to this person.
    """
    if isinstance(answer, LabelEvent):
        given = _given(connection, answer.pair_id, answer.annotator)
        if not given.plain:
            raise not_yours()
        return answer
    person = showings.viewer(connection, answer.annotator)
    pair, repeat = person.number(answer.pair_id)
    given = _given(connection, pair, answer.annotator)
    if repeat and given.again_at is None:
        raise not_yours()
    return showings.event_of(answer, person, pair, repeat, (given.first_id, given.second_id))


def undoable(connection: Connection, annotator: str, handle: int) -> tuple[int, bool]:
    """Find the pair whose answer a page takes back, and whether it is the second showing.

    Raises:
        NotFoundError: There can be no such pair.
    """
    pair, again = showings.viewer(connection, annotator).number(handle)
    if pair > showings.LAST_ID:
        raise not_yours()
    return pair, again


def looked_at(connection: Connection, handle: int, annotator: str) -> PairCard:
    """Return the card of a pair that `annotator` has answered or may answer now.

    Raises:
        NotFoundError: It is neither.
    """
    person = showings.viewer(connection, annotator)
    pair, repeat = person.number(handle)
    given = _given(connection, pair, annotator)
    if repeat and given.again_at is None:
        raise not_yours()
    if given.answered is None:
        waits = not given.hidden and (given.open or given.gold)
        shut = gold.failed(connection, given.who, projects(connection)) if waits else ()
        if not waits or given.dataset_id in shut:
            raise not_yours()
    return card(connection, pair, annotator, repeat)


def own_showing(connection: Connection, handle: int, annotator: str) -> tuple[int, bool]:
    """Find the pair behind a handle of its annotator, and whether it is the second showing.

    Raises:
        NotFoundError: They were not.
    """
    pair, repeat = showings.viewer(connection, annotator).number(handle)
    return _given(connection, pair, annotator).id, repeat


def _given(connection: Connection, pair: int, annotator: str) -> Row:
    row = None
    if pair <= showings.LAST_ID:
        row = connection.execute(LOOK, {"pair": pair, "annotator": annotator}).first()
    if row is None:  # the same words for a pair of others and for none: neither can be told apart
        raise not_yours()
    return row
