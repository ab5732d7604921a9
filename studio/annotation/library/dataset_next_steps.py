"""What can be done with a dataset now: train, label, or get answers first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, ScalarSelect, Subquery, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from studio.annotation.database.tables import Candidate, CurrentLabel, Dataset, Item, Label, Pair
from studio.annotation.database.team_tables import Decision, Gold
from studio.annotation.labeling.projection import QUEUES, REOPEN
from studio.annotation.labeling.written_answers import AUTHOR as WRITTEN_BY
from studio.annotation.library.import_staging import unpublished
from studio.annotation.records import TIES

WAITING = [queue for queue in QUEUES if queue != "decided"]


@dataclass(frozen=True)
class NextSteps:
    """Counts of what is in a dataset, without what is excluded or in the bin.

    Attributes:
        answers: Rows with an answer that SFT can learn.
        preferences: Pairs of which one answer is preferred, which DPO can learn; counted by the
            rule of `label_policies`, as the rows of a run are.
        to_decide: Pairs that wait for a lead: no majority, skipped too often, or flagged.
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
    to_decide: int = 0


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
    given = and_(Candidate.reference.is_(True), ~Candidate.author.startswith(WRITTEN_BY))
    reference = select(Candidate.id).where(*answer, given).exists()
    paired = select(Pair.id).where(Pair.item_id == Item.id, Pair.batch.not_in(unpublished()))
    shown = and_(
        Pair.dataset_id == number, Pair.hidden.is_(False), Pair.batch.not_in(unpublished())
    )
    settled = _settled(number, shown)
    preferred = Item.id.in_(select(settled.c.item_id))
    waits = and_(shown, Pair.origin == "", Pair.open.is_(True))
    query = select(
        _count(Item.id, seen, or_(preferred, reference)),
        select(func.count()).select_from(settled).scalar_subquery(),
        _count(Pair.id, waits),
        _count(Pair.id, waits, Pair.source_choice_id.is_(None)),
        _count(Item.id, seen, ~paired.exists(), any_answer, ~reference),
        _count(Item.id, seen, ~any_answer),
        _count(Pair.id, shown, Pair.queue.in_(WAITING)),
    )
    counts: tuple[int, ...] = tuple(connection.execute(query).one())
    return NextSteps(dataset, *counts)


def _settled(dataset: ScalarSelect, shown) -> Subquery:
    """Select the pairs of which one answer is preferred, as `label_policies` settles them.

    A written answer stands while its label does; else a lead's decision comes first, then the
    answer of a gold pair, the majority of the votes and, without any, what the source preferred.
    """
    votes = _votes(dataset)
    newest = select(func.max(Decision.id)).group_by(Decision.pair_id)
    decision = (
        select(Decision.pair_id, Decision.kind)
        .where(Decision.id.in_(newest), Decision.kind != REOPEN)
        .subquery()
    )
    gold = select(Gold.pair_id, Gold.kind).where(Gold.active.is_(True)).subquery()
    stands = select(CurrentLabel.pair_id).where(CurrentLabel.label_id == Pair.origin_label_id)
    first, second = aliased(Candidate), aliased(Candidate)
    preferred = case(
        (Pair.origin != "", stands.exists()),
        (decision.c.kind.is_not(None), decision.c.kind == "choose"),
        (gold.c.kind.is_not(None), gold.c.kind == "choose"),
        (votes.c.pair_id.is_not(None), func.abs(votes.c.ahead) > votes.c.ties),
        else_=Pair.source_choice_id.is_not(None),
    )
    texts = [func.trim(one.text) for one in (first, second)]
    return (
        select(Pair.id, Pair.item_id)
        .join(first, first.id == Pair.first_id)
        .join(second, second.id == Pair.second_id)
        .outerjoin(votes, votes.c.pair_id == Pair.id)
        .outerjoin(decision, decision.c.pair_id == Pair.id)
        .outerjoin(gold, gold.c.pair_id == Pair.id)
        .where(shown, preferred, texts[0] != "", texts[1] != "", texts[0] != texts[1])
        .subquery()
    )


def _votes(dataset: ScalarSelect) -> Subquery:
    """Count by pair how far its first answer is ahead, and the ties; pairs without votes are absent."""
    side = case((Label.winner_id == Pair.first_id, 1), else_=-1)
    return (
        select(
            CurrentLabel.pair_id,
            func.sum(case((Label.kind == "choose", side), else_=0)).label("ahead"),
            func.sum(case((Label.kind.in_(TIES), 1), else_=0)).label("ties"),
        )
        .join(Label, Label.id == CurrentLabel.label_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .where(Pair.dataset_id == dataset, or_(Label.kind == "choose", Label.kind.in_(TIES)))
        .group_by(CurrentLabel.pair_id)
        .subquery()
    )


def _count(column, *conditions) -> ScalarSelect:
    return select(func.count(column)).where(*conditions).scalar_subquery()
