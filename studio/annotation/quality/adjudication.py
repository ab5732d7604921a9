"""Pairs a lead should look at, with the votes side by side, and the lead's decisions."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from sqlalchemy import Connection, func, insert, select

from studio.annotation.database.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Dataset,
    Label,
    Pair,
)
from studio.annotation.database.team_tables import Decision, Gold
from studio.annotation.labeling.answer_validation import ensure_text_fits
from studio.annotation.labeling.pair_card import EDIT, IDEAL, SAID
from studio.annotation.labeling.pair_card import card as blind_card
from studio.annotation.labeling.projection import QUEUES, REOPEN, project_pairs
from studio.annotation.labeling.showings import (
    aspects_by_side,
    no_such_pair,
    showing,
    side_of,
    sides_of,
    spans_by_side,
    viewer,
)
from studio.annotation.quality import decision_conflicts
from studio.annotation.records import (
    VOTES,
    AnswerDetails,
    PairCard,
    Showing,
    Side,
    SideSpan,
    Span,
    details_of,
)
from studio.core.errors import ConflictError, InputError

WAITING = tuple(queue for queue in QUEUES if queue != "decided")


@dataclass(frozen=True)
class VoteView(AnswerDetails):
    """What one annotator says about the pair now; `informed`: having seen who wrote what."""

    annotator: str
    kind: str
    winner_id: int | None
    elapsed_ms: int | None
    informed: bool = False
    aspects: dict[str, int] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CaseState:
    """What a case is in every form.

    Attributes:
        queue: Why it is here (`projection.QUEUES`).
        decided_by: Whose decision stands.
        version, gold_version: Which decision and which gold these are; see `decision_conflicts`.
    """

    queue: str
    why: str
    waiting: int = 0
    decided_by: str = ""
    version: int = 0
    gold_version: int = 0


@dataclass(frozen=True)
class Case(CaseState):
    """A pair to be decided.

    Attributes:
        card: As an annotator called like the lead would see it; a page gets `shown`.
        authors: By candidate, who wrote it.
        decided: The decision that stands: kind, winner.
        gold: The right answer, where the pair is gold: kind, winner.
    """

    card: PairCard
    votes: list[VoteView]
    authors: dict[int, str]
    decided: tuple[str, int | None] | None = None
    gold: tuple[str, int | None] | None = None


@dataclass(frozen=True)
class ShownVote(AnswerDetails):
    """What one annotator says, by the sides as the lead sees them; see `VoteView`."""

    annotator: str
    kind: str
    winner: Side | None
    elapsed_ms: int | None
    informed: bool
    aspects: dict[str, str]
    spans: tuple[SideSpan, ...]


@dataclass(frozen=True)
class ShownCase(CaseState):
    """All that a lead's page is sent of a case; see `Case`.

    Attributes:
        card: With the pair's own number.
        authors: Who wrote left and right; empty before the decision.
        decided, gold: Kind, and the side of the winner.
    """

    card: Showing
    votes: list[ShownVote]
    authors: tuple[str, ...] = ()
    decided: tuple[str, Side | None] | None = None
    gold: tuple[str, Side | None] | None = None


def shown(case: Case) -> ShownCase:
    """Show a case as its lead may see it: blind until it is decided."""
    card = replace(showing(case.card), pair_id=case.card.pair_id, current=None, authors=())
    left, right = case.card.left.candidate_id, case.card.right.candidate_id
    written = (case.authors[left], case.authors[right])
    return ShownCase(
        card=card,
        votes=[_shown_vote(vote, left) for vote in case.votes],
        authors=written if case.decided else (),
        decided=case.decided and (case.decided[0], side_of(case.decided[1], left)),
        gold=case.gold and (case.gold[0], side_of(case.gold[1], left)),
        **{one.name: getattr(case, one.name) for one in fields(CaseState)},
    )


def _shown_vote(vote: VoteView, left_id: int) -> ShownVote:
    return ShownVote(
        annotator=vote.annotator,
        kind=vote.kind,
        winner=side_of(vote.winner_id, left_id),
        elapsed_ms=vote.elapsed_ms,
        informed=vote.informed,
        aspects=aspects_by_side(vote.aspects, left_id),
        spans=spans_by_side(vote.spans, left_id),
        **details_of(vote),
    )


def candidate_on(
    connection: Connection, lead: str, pair: int, side: str | None, token: str
) -> int | None:
    """Find the candidate that a lead's page had on a side of a case; None without a side.

    Raises:
        InputError: The page had no such case.
        NotFoundError: There is no such pair.
    """
    if side is None:
        return None
    both = _candidates(connection, pair)
    return sides_of(viewer(connection, lead), pair, False, both, token).of(side)


def _candidates(connection: Connection, pair: int) -> tuple[int, int]:
    """Return the ids of a pair's answers. Raises NotFoundError."""
    both = connection.execute(select(Pair.first_id, Pair.second_id).where(Pair.id == pair)).first()
    if both is None:
        raise no_such_pair(pair)
    return both.first_id, both.second_id


@dataclass(frozen=True)
class DecisionEvent:
    """A decision about to be saved; `reopen` gives the pair back to the annotators.

    `seen` is the version of the case it was made on (`Case.version`); None replaces whatever there
    is.
    """

    key: str
    pair_id: int
    lead: str
    kind: str
    winner_id: int | None = None
    comment: str = ""
    seen: int | None = None


def queue_sizes(connection: Connection, dataset: str | None) -> dict[str, int]:
    """Number of pairs in each queue."""
    query = select(Pair.queue, func.count()).where(Pair.queue != "", Pair.hidden.is_(False))
    if dataset is not None:
        query = query.where(Pair.dataset_id == _of_name(dataset))
    counts = {queue: number for queue, number in connection.execute(query.group_by(Pair.queue))}
    return {queue: counts.get(queue, 0) for queue in QUEUES}


def next_case(
    connection: Connection, lead: str, dataset: str | None, after: int = 0
) -> Case | None:
    """Find the first case above pair `after`; None when there is none."""
    query = select(Pair.id).where(Pair.queue.in_(WAITING), Pair.hidden.is_(False), Pair.id > after)
    if dataset is not None:
        query = query.where(Pair.dataset_id == _of_name(dataset))
    pair = connection.execute(query.order_by(Pair.id).limit(1)).scalar()
    return None if pair is None else case(connection, pair, lead, dataset)


def case(connection: Connection, pair: int, lead: str, dataset: str | None = None) -> Case:
    """Read one pair with all its votes. Raises NotFoundError."""
    both = _candidates(connection, pair)
    authors = select(Candidate.id, Candidate.author).where(Candidate.id.in_(both))
    sizes = queue_sizes(connection, dataset)
    decisions = select(Decision.kind, Decision.winner_id).where(Decision.pair_id == pair)
    last = connection.execute(decisions.order_by(Decision.id.desc()).limit(1)).first()
    decided = None if last is None or last.kind == REOPEN else (last.kind, last.winner_id)
    newest = decision_conflicts.newest_decision(connection, pair)
    queue = connection.execute(select(Pair.queue).where(Pair.id == pair)).scalar_one()
    return Case(
        card=blind_card(connection, pair, lead),
        queue=queue,
        why=QUEUES.get(queue, ""),
        votes=_votes(connection, pair),
        authors={row.id: row.author for row in connection.execute(authors)},
        decided=decided,
        waiting=sum(sizes[queue] for queue in WAITING),
        gold=gold_of(connection, pair),
        decided_by=newest.lead if decided else "",
        version=newest.number,
        gold_version=decision_conflicts.newest_gold(connection, pair).number,
    )


def decide(connection: Connection, event: DecisionEvent, now: float) -> None:
    """Save a decision; the same key again changes nothing.

    Raises:
        InputError, NotFoundError: It does not fit the pair.
        ConflictError: The key belongs to another decision, or somebody decided since `event.seen`.
    """
    query = select(Decision.pair_id, Decision.kind).where(Decision.key == event.key)
    if earlier := connection.execute(query).first():
        if (earlier.pair_id, earlier.kind) != (event.pair_id, event.kind):
            raise ConflictError(
                "This key already belongs to another decision.", remedy="Reload the page."
            )
        return
    both = _candidates(connection, event.pair_id)
    if event.kind not in (*VOTES, REOPEN):
        raise InputError(f"{event.kind!r} is not a decision.", field="kind")
    if (event.kind == "choose") != (event.winner_id in both):
        raise InputError("The winner is not part of this pair.", field="winner_id")
    ensure_text_fits(event.comment, "comment")
    decision_conflicts.ensure_decision_seen(connection, event.pair_id, event.lead, event.seen)
    connection.execute(
        insert(Decision).values(
            key=event.key,
            pair_id=event.pair_id,
            lead=event.lead,
            kind=event.kind,
            winner_id=event.winner_id,
            comment=event.comment,
            created_at=now,
        )
    )
    project_pairs(connection, [event.pair_id], ruled=True)


def gold_of(connection: Connection, pair: int) -> tuple[str, int | None] | None:
    """Read the known right answer of a pair: kind, winner."""
    query = select(Gold.kind, Gold.winner_id).where(Gold.pair_id == pair, Gold.active.is_(True))
    row = connection.execute(query).first()
    return None if row is None else (row.kind, row.winner_id)


def _votes(connection: Connection, pair: int) -> list[VoteView]:
    query = (
        select(*SAID, Label.elapsed_ms, Label.informed, Annotator.name)
        .select_from(CurrentLabel)
        .join(Label, Label.id == CurrentLabel.label_id)
        .join(Annotator, Annotator.id == Label.annotator_id)
        .outerjoin(EDIT, EDIT.id == Label.edit_id)
        .outerjoin(IDEAL, IDEAL.id == Label.ideal_id)
        .where(CurrentLabel.pair_id == pair)
        .order_by(Annotator.name)
    )
    return [
        VoteView(
            annotator=row.name,
            kind=row.kind,
            winner_id=row.winner_id,
            elapsed_ms=row.elapsed_ms,
            informed=row.informed,
            aspects=row.aspects or {},
            spans=tuple(Span(**span) for span in row.spans or ()),
            **details_of(row),
        )
        for row in connection.execute(query)
    ]


def _of_name(dataset: str):
    return select(Dataset.id).where(Dataset.name == dataset).scalar_subquery()
