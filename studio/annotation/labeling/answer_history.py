"""What an annotator answered, newest first."""

from __future__ import annotations

from sqlalchemy import Connection, select

from studio.annotation.database.tables import Candidate, CurrentLabel, Label
from studio.annotation.database.team_tables import Repeat
from studio.annotation.labeling.assignment import find_annotator
from studio.annotation.labeling.label_events import UNDO
from studio.annotation.labeling.pair_card import cards
from studio.annotation.records import HistoryEntry


def history(
    connection: Connection, annotator: str, before: int | None, limit: int, *, again: bool = False
) -> list[HistoryEntry]:
    """List answers of `annotator`, newest first, older than event `before`; undoing is left out.

    Args:
        again: With those to second showings, as their page has them: a gap there would tell which
            they were.
    """
    query = (
        select(
            Label,
            Candidate.text.label("winner"),
            CurrentLabel.label_id.label("standing"),
            Repeat.answer_id.label("standing_again"),
        )
        .outerjoin(Candidate, Candidate.id == Label.winner_id)
        .join(
            CurrentLabel,
            (CurrentLabel.pair_id == Label.pair_id)
            & (CurrentLabel.annotator_id == Label.annotator_id),
        )
        .outerjoin(
            Repeat, (Repeat.pair_id == Label.pair_id) & (Repeat.annotator_id == Label.annotator_id)
        )
        .where(Label.annotator_id == find_annotator(connection, annotator))
        .where(Label.kind != UNDO)
        .order_by(Label.id.desc())
        .limit(limit)
    )
    if not again:
        query = query.where(Label.repeat.is_(False))
    if before is not None:
        query = query.where(Label.id < before)
    rows = connection.execute(query).all()
    showings = list({(row.pair_id, bool(row.repeat)) for row in rows})
    shown = {(card.pair_id, card.repeat): card for card in cards(connection, showings, annotator)}
    return [
        HistoryEntry(
            label_id=row.id,
            pair_id=row.pair_id,
            dataset=card.dataset,
            question=card.question,
            kind=row.kind,
            winner=row.winner or "",
            reason=row.reason,
            created_at=row.created_at,
            current=row.id == (row.standing_again if row.repeat else row.standing),
            handle=card.handle,
        )
        for row in rows
        if (card := shown[row.pair_id, bool(row.repeat)])
    ]
