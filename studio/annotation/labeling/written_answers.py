"""Answers people write: the better one edited, the ideal one. They become candidates and pairs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from studio.annotation.database.tables import Candidate, Pair
from studio.annotation.library.import_rows import text_hash
from studio.annotation.library.import_staging import refresh_search
from studio.annotation.records import LabelEvent

AUTHOR = "person:"
LONGEST = 8_000
"""Characters of a text that somebody writes; longer ones are not saved."""


@dataclass(frozen=True)
class WrittenAnswer:
    """Ids of the candidates written with one answer."""

    edit_id: int | None = None
    ideal_id: int | None = None


def write(connection: Connection, item_id: int, event: LabelEvent, now: float) -> WrittenAnswer:
    """Add the texts of an answer as candidates; blank ones and an unchanged edit add nothing."""
    who, edited = event.annotator, {"edited_from": event.winner_id}
    made = WrittenAnswer(
        _candidate(connection, item_id, who, event.edit, now, edited),
        _candidate(connection, item_id, who, event.ideal, now, {"written": "ideal"}),
    )
    if made.edit_id == event.winner_id:
        made = WrittenAnswer(None, made.ideal_id)
    if made.edit_id or made.ideal_id:
        refresh_search(connection, [item_id])
    return made


def add_pairs(
    connection: Connection,
    written: WrittenAnswer,
    label_id: int,
    pair,
    winner_id: int | None,
    now: float,
) -> None:
    """Add pairs that prefer what was written: the edit to its original, the ideal to both.

    Args:
        pair: Row with `id`, `dataset_id`, `item_id`, `first_id`, `second_id`.
    """
    wanted = [(written.edit_id, winner_id, "edit")]
    wanted += [(written.ideal_id, other, "ideal") for other in (pair.first_id, pair.second_id)]
    for better, worse, origin in wanted:
        if better is None or worse is None or better == worse:
            continue
        first, second = sorted((better, worse))
        values = {"source_choice_id": better, "origin": origin, "origin_label_id": label_id}
        same = (Pair.first_id == first, Pair.second_id == second)
        known = connection.execute(select(Pair.origin).where(*same)).scalar()
        if known:
            connection.execute(update(Pair).where(*same).values(**values))
        elif known is None:
            connection.execute(
                insert(Pair).values(
                    dataset_id=pair.dataset_id,
                    item_id=pair.item_id,
                    first_id=first,
                    second_id=second,
                    open=False,
                    created_at=now,
                    **values,
                )
            )


def _candidate(
    connection: Connection, item_id: int, annotator: str, text: str, now: float, how: dict
) -> int | None:
    if not text.strip():
        return None
    known = select(Candidate.id).where(Candidate.item_id == item_id, Candidate.text == text)
    if existing := connection.execute(known.order_by(Candidate.id).limit(1)).scalar():
        return existing
    added = connection.execute(
        insert(Candidate).values(
            item_id=item_id,
            text=text,
            text_hash=text_hash(text),
            author=f"{AUTHOR}{annotator}"[:300],
            length=len(text),
            decoding=how,
            reference=True,
            created_at=now,
        )
    )
    (made,) = added.inserted_primary_key or (0,)
    return made
