"""What can be done with a dataset now: train, label, or get answers first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, ScalarSelect, and_, func, or_, select

from studio.annotation.database.tables import Candidate, CurrentLabel, Dataset, Item, Label, Pair
from studio.annotation.library.import_staging import unpublished


@dataclass(frozen=True)
class NextSteps:
    """Counts of what is in a dataset, without what is excluded or in the bin.

    Attributes:
        answers: Rows with an answer that SFT can learn.
        preferences: Pairs of which one answer is preferred, which DPO can learn.
        waiting: Pairs that wait for labels.
        undecided: Those of them without a preference of the source.
        single: Rows with answers that are neither a reference nor in a pair (one bad answer).
        unanswered: Rows without any answer.
    """

    dataset: str
    answers: int = 0
    preferences: int = 0
    waiting: int = 0
    undecided: int = 0
    single: int = 0
    unanswered: int = 0


def next_steps(connection: Connection, dataset: str) -> NextSteps:
    """Count what can be done with a dataset, in one query; nothing of one that is not there."""
    number = select(Dataset.id).where(Dataset.name == dataset).scalar_subquery()
    seen = and_(
        Item.dataset_id == number,
        Item.deleted_at.is_(None),
        Item.excluded.is_(False),
        Item.batch.not_in(unpublished()),
    )
    answer = (Candidate.item_id == Item.id, Candidate.batch.not_in(unpublished()))
    any_answer = select(Candidate.id).where(*answer).exists()
    reference = select(Candidate.id).where(*answer, Candidate.reference.is_(True)).exists()
    paired = select(Pair.id).where(Pair.item_id == Item.id, Pair.batch.not_in(unpublished()))
    preferred = paired.where(_preferred()).exists()
    shown = and_(
        Pair.dataset_id == number, Pair.hidden.is_(False), Pair.batch.not_in(unpublished())
    )
    waits = and_(shown, Pair.origin == "", Pair.open.is_(True))
    query = select(
        _count(Item.id, seen, or_(reference, preferred)),
        _count(Pair.id, shown, _preferred()),
        _count(Pair.id, waits),
        _count(Pair.id, waits, Pair.source_choice_id.is_(None)),
        _count(Item.id, seen, any_answer, ~reference, ~paired.exists()),
        _count(Item.id, seen, ~any_answer),
    )
    counts: tuple[int, ...] = tuple(connection.execute(query).one())
    return NextSteps(dataset, *counts)


def _preferred():
    """Whether people chose an answer of a pair or, without votes, its source did."""
    chosen = (
        select(CurrentLabel.pair_id)
        .join(Label, Label.id == CurrentLabel.label_id)
        .where(CurrentLabel.pair_id == Pair.id, Label.kind == "choose")
    )
    return or_(and_(Pair.votes == 0, Pair.source_choice_id.is_not(None)), chosen.exists())


def _count(column, *conditions) -> ScalarSelect:
    return select(func.count(column)).where(*conditions).scalar_subquery()
