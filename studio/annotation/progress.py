"""How far the labelling is, for one annotator or for all."""

from __future__ import annotations

from statistics import median

from sqlalchemy import Connection, func, select

from studio.annotation.claims import find_annotator
from studio.annotation.label_events import UNDO
from studio.annotation.staging import unpublished
from studio.annotation.tables import CurrentLabel, Dataset, Label, Pair
from studio.annotation.team_tables import Repeat
from studio.annotation.views import Progress

RECENT = 200


def progress(
    connection: Connection, annotator: str | None, dataset: str | None, midnight: float
) -> Progress:
    """Answers that stand, pairs in all, pairs still open, answers since `midnight`, and the
    median time of the last answers in seconds.

    Excluded and deleted items do not count. For one annotator `waiting` leaves out the pairs they
    have answered or skipped, and their answers to second showings count as any other: a count
    that stood still would tell which those are.
    """
    who = None if annotator is None else find_annotator(connection, annotator) or 0
    of_dataset = None
    if dataset is not None:
        of_dataset = select(Dataset.id).where(Dataset.name == dataset).scalar_subquery()

    def pairs(query):
        query = query.where(Pair.hidden.is_(False), Pair.batch.not_in(unpublished()))
        query = query.where(Pair.origin == "")
        return query if of_dataset is None else query.where(Pair.dataset_id == of_dataset)

    def answers(query):
        query = query.join(Label, Label.id == CurrentLabel.label_id)
        query = pairs(query.join(Pair, Pair.id == CurrentLabel.pair_id))
        query = query.where(Label.kind != UNDO)
        return query if who is None else query.where(CurrentLabel.annotator_id == who)

    def number(query) -> int:
        return connection.execute(query).scalar_one()

    def again(since: float) -> int:
        query = pairs(select(func.count()).select_from(Repeat))
        query = query.join(Pair, Pair.id == Repeat.pair_id)
        query = query.join(Label, Label.id == Repeat.answer_id)
        mine = (Repeat.annotator_id == who, Label.created_at >= since)
        return 0 if who is None else number(query.where(*mine))

    labelled = answers(select(func.count()).select_from(CurrentLabel))
    waiting = pairs(select(func.count()).select_from(Pair)).where(Pair.open.is_(True))
    if who is not None:
        mine = select(CurrentLabel.pair_id).where(
            CurrentLabel.annotator_id == who, CurrentLabel.label_id.is_not(None)
        )
        waiting = waiting.where(Pair.id.not_in(mine))
    times = answers(select(Label.elapsed_ms).select_from(CurrentLabel))
    times = times.where(Label.elapsed_ms.is_not(None)).order_by(Label.id.desc()).limit(RECENT)
    elapsed = connection.execute(times).scalars().all()
    return Progress(
        labelled=number(labelled) + again(0),
        total=number(pairs(select(func.count()).select_from(Pair))),
        waiting=number(waiting),
        today=number(labelled.where(Label.created_at >= midnight)) + again(midnight),
        median_seconds=round(median(elapsed) / 1000, 1) if elapsed else None,
    )
