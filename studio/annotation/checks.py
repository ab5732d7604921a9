"""Checks on the annotators themselves: second showings, gold pairs, the qualification round."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select, text, update

from studio.annotation.settings import Project, ProjectSettings
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


def is_repeated(pair: int, annotator: str, share: float) -> bool:
    """Whether this pair is shown twice to this person: a repeatable draw."""
    digest = hashlib.sha256(f"again:{pair}:{annotator}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) < share * 256**6


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


def scores(connection: Connection, who: int) -> dict[int, GoldScore]:
    """By dataset, how the gold pairs were answered; abstentions count as answered."""
    right = and_(
        Label.kind == Gold.kind,
        func.coalesce(Label.winner_id, 0) == func.coalesce(Gold.winner_id, 0),
    )
    query = (
        select(
            Gold.dataset_id,
            func.count().label("answered"),
            func.count(Label.id).filter(right).label("right"),
        )
        .join(CurrentLabel, CurrentLabel.pair_id == Gold.pair_id)
        .join(Label, Label.id == CurrentLabel.label_id)
        .where(CurrentLabel.annotator_id == who, Gold.active.is_(True))
        .group_by(Gold.dataset_id)
    )
    return {row.dataset_id: GoldScore(row.answered, row.right) for row in connection.execute(query)}


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
    answered = select(CurrentLabel.pair_id).where(
        CurrentLabel.pair_id == Gold.pair_id,
        CurrentLabel.annotator_id == who,
        CurrentLabel.label_id.is_not(None),
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
