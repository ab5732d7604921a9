"""Checks on the annotators themselves: second showings, gold pairs, the qualification round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, func, select, text, update

from studio.annotation.label_events import UNDO
from studio.annotation.settings import Project, ProjectSettings
from studio.annotation.showings import Viewer
from studio.annotation.tables import Annotator, CurrentLabel, Label, Pair
from studio.annotation.team_tables import Gold, Repeat


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
    """Whether this pair is shown twice to this person: a repeatable draw."""
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
    """Note the answer to a second showing (None: undone). False when none was planned."""
    same = (Repeat.pair_id == pair, Repeat.annotator_id == who)
    changed = connection.execute(update(Repeat).where(*same).values(answer_id=label_id))
    return bool(changed.rowcount)


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
IS_RIGHT = and_(
    Label.kind == Gold.kind,
    func.coalesce(Label.winner_id, 0) == func.coalesce(Gold.winner_id, 0),
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
    .where(Gold.active.is_(True))
    .group_by(Gold.dataset_id)
)


def scores(connection: Connection, who: int) -> dict[int, GoldScore]:
    """By dataset, how the gold pairs were answered first; abstentions count as answered."""
    rows = connection.execute(SCORES, {"who": who})
    return {row.dataset_id: GoldScore(row.answered, row.right) for row in rows}


def first_answers(connection: Connection, dataset_id: int) -> list[tuple[str, bool]]:
    """Of a dataset's gold pairs, everybody's first answers: by whom, and whether right."""
    query = (
        select(Annotator.name, IS_RIGHT)
        .select_from(Gold)
        .join(Pair, Pair.id == Gold.pair_id)
        .join(CurrentLabel, CurrentLabel.pair_id == Gold.pair_id)
        .join(Annotator, Annotator.id == CurrentLabel.annotator_id)
        .join(Label, Label.id == FIRST_ANSWER)
        .where(Gold.active.is_(True), Gold.dataset_id == dataset_id, Pair.hidden.is_(False))
        .order_by(Label.id)
    )
    return [(name, bool(right)) for name, right in connection.execute(query)]


def due_gold(
    connection: Connection, who: int, settings: ProjectSettings, dataset_id: int, score: GoldScore
) -> list[int]:
    """The gold pairs to answer now: all of the qualification round, else one when it is its turn."""
    wanted = max(0, settings.qualification - score.answered)
    if not wanted and not _turn_for_gold(connection, who, settings, dataset_id, score):
        return []
    return _unanswered_gold(connection, who, dataset_id, wanted or 1)


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


def _unanswered_gold(connection: Connection, who: int, dataset_id: int, count: int) -> list[int]:
    # There is no second chance: what was answered and undone is answered.
    answered = select(CurrentLabel.pair_id).where(
        CurrentLabel.pair_id == Gold.pair_id, CurrentLabel.annotator_id == who
    )
    query = (
        select(Gold.pair_id)
        .join(Pair, Pair.id == Gold.pair_id)
        .where(Gold.active.is_(True), Gold.dataset_id == dataset_id, ~answered.exists())
        .where(Pair.hidden.is_(False))
        .order_by(Gold.pair_id)
        .limit(count)
    )
    return list(connection.execute(query).scalars())


def blocked(
    connection: Connection,
    who: int,
    projects: Mapping[int, Project],
    scored: Mapping[int, GoldScore],
    with_gold: Sequence[int] | set[int],
) -> dict[int, str]:
    """Datasets somebody cannot label (yet), with `qualifying` or `failed`."""
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
    found = {}
    for number, settings in rounds.items():
        score = scored.get(number, GoldScore())
        left = bool(_unanswered_gold(connection, who, number, 1))
        if score.answered < settings.qualification and left:
            found[number] = "qualifying"
        elif score.accuracy < settings.qualification_pass:
            found[number] = "failed"
    return found


def feedback(connection: Connection, pair: int, kind: str, winner_id: int | None) -> str:
    """What to say about an answer to a gold pair."""
    query = select(Gold.kind, Gold.winner_id, Gold.explanation).where(
        Gold.pair_id == pair, Gold.active.is_(True)
    )
    gold = connection.execute(query).first()
    if gold is None:
        return ""
    right = (kind, winner_id) == (gold.kind, gold.winner_id)
    verdict = "Right." if right else "This pair has a known answer, and it is another one."
    return f"{verdict} {gold.explanation}".strip()
