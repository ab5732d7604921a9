"""What an annotator answered, newest first."""

from __future__ import annotations

from sqlalchemy import Connection, select

from studio.annotation.cards import cards
from studio.annotation.claims import find_annotator
from studio.annotation.label_events import UNDO
from studio.annotation.tables import Candidate, CurrentLabel, Label
from studio.annotation.views import HistoryEntry


def history(
    connection: Connection, annotator: str, before: int | None, limit: int
) -> list[HistoryEntry]:
    """Answers of `annotator`, newest first, from below event `before` on.

    Undoing and answers to second showings are left out.
    """
    query = (
        select(Label, Candidate.text.label("winner"), CurrentLabel.label_id.label("standing"))
        .outerjoin(Candidate, Candidate.id == Label.winner_id)
        .join(
            CurrentLabel,
            (CurrentLabel.pair_id == Label.pair_id)
            & (CurrentLabel.annotator_id == Label.annotator_id),
        )
        .where(Label.annotator_id == find_annotator(connection, annotator))
        .where(Label.kind != UNDO, Label.repeat.is_(False))
        .order_by(Label.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Label.id < before)
    rows = connection.execute(query).all()
    pairs = list({row.pair_id for row in rows})
    shown = {card.pair_id: card for card in cards(connection, pairs, annotator)}
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
            handle=shown[row.pair_id].handle,
        )
        for row in rows
    ]
