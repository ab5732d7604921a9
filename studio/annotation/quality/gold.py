"""Checks on the annotators themselves: second showings, gold pairs, the qualification round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, and_, bindparam, func, or_, select, text, update
from sqlalchemy.orm import aliased

from studio.annotation.database.tables import Annotator, CurrentLabel, Label, Lease, Pair
from studio.annotation.database.team_tables import AuditEntry, Gold, Repeat
from studio.annotation.labeling.label_events import UNDO
from studio.annotation.labeling.project_settings import Project, ProjectSettings
from studio.annotation.labeling.showings import Viewer

GOLD, NO_LONGER_GOLD = "gold", "no longer gold"
"""The action of the audit entry of whoever said which answer to a pair is right."""


@dataclass(frozen=True)
class GoldScore:
    """How somebody did on the gold pairs of a dataset."""

    answered: int = 0
    right: int = 0

    @property
    def accuracy(self) -> float:
        """Share answered rightly, 0 to 1; 0 before the first."""
        return self.right / self.answered if self.answered else 0.0


def is_repeated(person: Viewer, pair: int, share: float) -> bool:
    """Draw, repeatably, whether this pair is shown twice to this person."""
    return person.draw(f"again:{pair}") < share


# The same in SQLite and PostgreSQL.
PLAN = text(
    "INSERT INTO repeats (pair_id, annotator_id, label_id) VALUES (:pair, :who, :label) "
    "ON CONFLICT (pair_id, annotator_id) DO UPDATE SET label_id = excluded.label_id"
)


def plan_repeat(connection: Connection, pair: int, who: int, label_id: int) -> None:
    """Note that a pair is to be shown again."""
    connection.execute(PLAN, {"pair": pair, "who": who, "label": label_id})


def answer_repeat(connection: Connection, pair: int, who: int, label_id: int | None) -> bool:
    """Note the answer to a second showing that stands (None: undone). False when none was planned.

    What it is compared with the first one by is `second_answers`.
    """
    same = (Repeat.pair_id == pair, Repeat.annotator_id == who)
    changed = connection.execute(update(Repeat).where(*same).values(answer_id=label_id))
    return bool(changed.rowcount)


FIRST_SHOWN, SECOND_SHOWN = aliased(Label), aliased(Label)
# The first answer to a second showing, whatever came after it.
FIRST_AGAIN = (
    select(func.min(Label.id))
    .where(
        Label.pair_id == Repeat.pair_id,
        Label.annotator_id == Repeat.annotator_id,
        Label.repeat.is_(True),
    )
    .correlate(Repeat)
    .scalar_subquery()
)
IS_SAME = and_(
    FIRST_SHOWN.kind == SECOND_SHOWN.kind,
    func.coalesce(FIRST_SHOWN.winner_id, 0) == func.coalesce(SECOND_SHOWN.winner_id, 0),
)


def second_answers(connection: Connection, dataset_id: int) -> list[tuple[str, bool]]:
    """List by whom second showings were answered, and whether as the first time.

    It is compared with the answer after which it was planned, the first to the pair.
    """
    query = (
        select(Annotator.name, IS_SAME)
        .select_from(Repeat)
        .join(Pair, Pair.id == Repeat.pair_id)
        .join(Annotator, Annotator.id == Repeat.annotator_id)
        .join(FIRST_SHOWN, FIRST_SHOWN.id == Repeat.label_id)
        .join(SECOND_SHOWN, SECOND_SHOWN.id == FIRST_AGAIN)
        .where(Pair.dataset_id == dataset_id, Pair.hidden.is_(False), Pair.origin == "")
        .order_by(SECOND_SHOWN.id)
    )
    return [(name, bool(same)) for name, same in connection.execute(query)]


# The first answer of (pair, annotator), whatever came after it: undone, replaced or sent again.
FIRST_ANSWER = (
    select(func.min(Label.id))
    .where(
        Label.pair_id == Gold.pair_id,
        Label.annotator_id == Annotator.id,
        Label.kind != UNDO,
        Label.repeat.is_(False),
    )
    .correlate(Gold, Annotator)
    .scalar_subquery()
)
# Said of an answer given before anybody had said what is right, or by whoever did: nothing.
IS_OTHERS = Gold.pair_id.not_in(
    select(AuditEntry.details["pair"].as_integer())
    .where(AuditEntry.action == GOLD, AuditEntry.who == Annotator.name)
    .correlate(Annotator)
)
IS_COUNTED = and_(Label.created_at >= Gold.created_at, IS_OTHERS)
IS_RIGHT = and_(
    Label.kind == Gold.kind, func.coalesce(Label.winner_id, 0) == func.coalesce(Gold.winner_id, 0)
)
SCORES = (
    select(
        Gold.dataset_id,
        func.count().label("answered"),
        func.count().filter(IS_RIGHT).label("right"),
    )
    .select_from(Gold)
    .join(Annotator, Annotator.id == bindparam("who"))
    .join(Label, Label.id == FIRST_ANSWER)
    .where(Gold.active.is_(True), IS_COUNTED)
    .group_by(Gold.dataset_id)
)


def scores(connection: Connection, who: int) -> dict[int, GoldScore]:
    """Count by dataset the first answers to gold pairs; abstentions count as answered."""
    rows = connection.execute(SCORES, {"who": who})
    return {row.dataset_id: GoldScore(row.answered, row.right) for row in rows}


def first_answers(connection: Connection, dataset_id: int) -> list[tuple[str, bool]]:
    """List by whom gold pairs were answered first, and whether rightly."""
    query = (
        select(Annotator.name, IS_RIGHT)
        .select_from(Gold)
        .join(Pair, Pair.id == Gold.pair_id)
        .join(CurrentLabel, CurrentLabel.pair_id == Gold.pair_id)
        .join(Annotator, Annotator.id == CurrentLabel.annotator_id)
        .join(Label, Label.id == FIRST_ANSWER)
        .where(Gold.active.is_(True), Gold.dataset_id == dataset_id, Pair.hidden.is_(False))
        .where(IS_COUNTED)
        .order_by(Label.id)
    )
    return [(name, bool(right)) for name, right in connection.execute(query)]


def due_gold(
    connection: Connection,
    who: int,
    settings: ProjectSettings,
    dataset_id: int,
    score: GoldScore,
    handed: int,
    now: float,
) -> list[int]:
    """List the gold pairs to hand out: the whole qualification round, else one at its turn.

    Args:
        handed: How many were handed out and never answered.
    """
    wanted = max(0, settings.qualification - score.answered)
    if not wanted:
        wanted = int(_turn_for_gold(connection, who, settings, dataset_id, score))
    return _unanswered_gold(connection, who, dataset_id, wanted - handed, now)


@dataclass(frozen=True)
class HandedGold:
    """A gold pair in somebody's hands.

    Attributes:
        at: When it was handed out.
        undone: It was answered and that was taken back, so that its first answer is known.
    """

    pair: int
    dataset_id: int
    at: float
    undone: bool


def handed_gold(connection: Connection, who: int, now: float) -> list[HandedGold]:
    """List gold pairs that were handed out to somebody and wait for their answer."""
    query = (
        select(
            Gold.pair_id,
            Gold.dataset_id,
            func.coalesce(Lease.handed_at, 0.0),
            CurrentLabel.version.is_not(None),
        )
        .join(Pair, Pair.id == Gold.pair_id)
        .join(Lease, and_(Lease.pair_id == Gold.pair_id, Lease.annotator_id == who))
        .outerjoin(
            CurrentLabel,
            and_(CurrentLabel.pair_id == Gold.pair_id, CurrentLabel.annotator_id == who),
        )
        .where(Gold.active.is_(True), Pair.hidden.is_(False), CurrentLabel.label_id.is_(None))
        .where(
            or_(
                CurrentLabel.version.is_not(None),
                Lease.handed_at >= Gold.created_at,
                Lease.expires_at > now,
            )
        )
    )
    return [HandedGold(*row[:3], bool(row[3])) for row in connection.execute(query)]


def _turn_for_gold(
    connection: Connection, who: int, settings: ProjectSettings, dataset_id: int, score: GoldScore
) -> bool:
    query = (
        select(func.count())
        .select_from(CurrentLabel)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .where(
            CurrentLabel.annotator_id == who,
            CurrentLabel.label_id.is_not(None),
            Pair.dataset_id == dataset_id,
        )
    )
    answered = connection.execute(query).scalar_one() - settings.qualification
    mixed_in = score.answered - settings.qualification
    return mixed_in < int(answered * settings.gold_share)


def _never_answered(who: int, dataset_id: int) -> Select:
    """Gold pairs that say something of this person, never answered by them."""
    answered = select(CurrentLabel.pair_id).where(
        CurrentLabel.pair_id == Gold.pair_id, CurrentLabel.annotator_id == who
    )
    return (
        select(Gold.pair_id)
        .join(Pair, Pair.id == Gold.pair_id)
        .join(Annotator, Annotator.id == who)
        .where(Gold.active.is_(True), Gold.dataset_id == dataset_id, Pair.hidden.is_(False))
        .where(~answered.exists(), IS_OTHERS)
        .order_by(Gold.pair_id)
    )


def _unanswered_gold(
    connection: Connection, who: int, dataset_id: int, count: int, now: float
) -> list[int]:
    """Up to `count` of them that were not handed out either since they are gold."""
    if count <= 0:
        return []
    handed = select(Lease.pair_id).where(
        Lease.pair_id == Gold.pair_id,
        Lease.annotator_id == who,
        or_(Lease.handed_at >= Gold.created_at, Lease.expires_at > now),
    )
    query = _never_answered(who, dataset_id).where(~handed.exists()).limit(count)
    return list(connection.execute(query).scalars())


def blocked(
    connection: Connection,
    who: int,
    projects: Mapping[int, Project],
    scored: Mapping[int, GoldScore],
    with_gold: Sequence[int] | set[int],
) -> dict[int, str]:
    """Say by dataset why somebody cannot label it: `qualifying` or `failed`."""
    rounds = {
        number: project.settings
        for number, project in projects.items()
        if project.settings.qualification and number in with_gold
    }
    if not rounds:
        return {}
    cleared = select(Annotator.cleared).where(Annotator.id == who)
    if connection.execute(cleared).scalar():
        return {}
    reasons = {}
    for number, settings in rounds.items():
        score = scored.get(number, GoldScore())
        left = connection.execute(_never_answered(who, number).limit(1)).first() is not None
        if score.answered < settings.qualification and left:
            reasons[number] = "qualifying"
        elif score.answered and score.accuracy < settings.qualification_pass:
            reasons[number] = "failed"
    return reasons


def failed(connection: Connection, who: int, projects: Mapping[int, Project]) -> set[int]:
    """List the datasets whose qualification round somebody failed: they get nothing of them."""
    rounds = {
        number: project
        for number, project in projects.items()
        if project.has_gold and project.settings.qualification
    }
    if not rounds:
        return set()
    standing = blocked(connection, who, rounds, scores(connection, who), set(rounds))
    return {number for number, why in standing.items() if why == "failed"}


def feedback(connection: Connection, pair: int, kind: str, winner_id: int | None) -> str:
    """Say whether an answer to a gold pair was right."""
    query = select(Gold.kind, Gold.winner_id, Gold.explanation).where(
        Gold.pair_id == pair, Gold.active.is_(True)
    )
    gold = connection.execute(query).first()
    if gold is None:
        return ""
    right = (kind, winner_id) == (gold.kind, gold.winner_id)
    verdict = "Right." if right else "This pair has a known answer, and it is another one."
    return f"{verdict} {gold.explanation}".strip()
