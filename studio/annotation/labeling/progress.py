"""How far the labelling is, for one annotator or for all."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from studio.annotation.database.tables import Annotator, CurrentLabel, Dataset, Label, Pair
from studio.annotation.database.team_tables import Gold, Repeat
from studio.annotation.labeling.assignment import find_annotator
from studio.annotation.labeling.label_events import UNDO
from studio.annotation.labeling.project_settings import Project, ProjectSettings, projects
from studio.annotation.labeling.showings import Viewer, viewer
from studio.annotation.library.import_staging import unpublished
from studio.annotation.quality import gold as checks
from studio.annotation.records import ABSTENTIONS, Progress

RECENT = 200
DRAWN_ONE_BY_ONE = 2_000
"""Waiting pairs of which it is drawn whether they come again; of more, their share is counted."""


def progress(
    connection: Connection,
    annotator: str | None,
    dataset: str | None,
    midnight: float,
    *,
    at_end: bool = False,
) -> Progress:
    """Count the answers that stand, all pairs, the open ones, today's answers and the median time.

    Excluded and deleted items do not count. For one annotator every showing counts alike, a gold
    pair and a second showing too: `labelled` and `waiting` move by one with each answer, because
    a number that stood still would tell which those are. `total` is what there is to answer then.

    Args:
        at_end: Nothing is left to show to this annotator, so `waiting` and `total` are of pairs,
            and `elsewhere` is said: those that wait for other people.
    """
    counted = _Counted(connection, dataset)
    if annotator is None:
        return counted.of_all(midnight)
    who = find_annotator(connection, annotator) or 0
    return counted.of_one(who, viewer(connection, annotator), midnight, at_end)


class _Counted:
    """Counts over the pairs of one dataset, or of all."""

    def __init__(self, connection: Connection, dataset: str | None) -> None:
        self._connection, self._dataset = connection, dataset
        self._of = None
        if dataset is not None:
            self._of = select(Dataset.id).where(Dataset.name == dataset).scalar_subquery()

    def of_all(self, midnight: float) -> Progress:
        standing = self._standing()
        times = standing.with_only_columns(Label.elapsed_ms)
        pairs = self._number(self._pairs())
        return Progress(
            labelled=self._number(standing),
            total=pairs,
            pairs=pairs,
            waiting=self._number(self._pairs().where(Pair.open.is_(True))),
            today=self._number(standing.where(Label.created_at >= midnight)),
            day=_day(midnight),
            median_seconds=self._median(times),
        )

    def of_one(self, who: int, person: Viewer, midnight: float, at_end: bool) -> Progress:
        known = projects(self._connection)
        failed = checks.failed(self._connection, who, known)
        standing = self._standing().where(CurrentLabel.annotator_id == who)
        labelled = self._number(standing) + self._answered_again(who)
        today = standing.where(Label.created_at >= midnight)
        times = self._seen(select(Label.elapsed_ms).join(Pair, Pair.id == Label.pair_id))
        times = times.where(Label.annotator_id == who, Label.kind != UNDO)
        first = times.with_only_columns(func.min(Label.created_at))
        common: dict[str, Any] = {
            "labelled": labelled,
            "day": _day(midnight),
            "since": _day(self._connection.execute(first).scalar()),
            "today": self._number(today) + self._answered_again(who, midnight),
            "median_seconds": self._median(times),
        }
        if at_end:
            pairs = self._number(self._pairs())
            unanswered = self._number(self._waiting(who, failed))
            still_open = self._number(self._pairs().where(Pair.open.is_(True)))
            return Progress(
                total=pairs,
                pairs=pairs,
                twice=self._answered_again(who),
                waiting=unanswered,
                elsewhere=still_open - unanswered,
                **common,
            )
        showings, twice = self._showings(who, person, known, failed)
        waiting = max(0, showings - labelled)
        # What others have finished is in the total as it is in that of a dataset.
        closed = self._pairs().where(Pair.gold.is_(False), Pair.open.is_(False))
        others = self._number(closed.where(~_said(who)))
        total = max(showings, labelled + waiting) + others
        return Progress(total=total, pairs=total - twice, twice=twice, waiting=waiting, **common)

    def _pairs(self) -> Select:
        return self._seen(select(func.count()).select_from(Pair))

    def _seen(self, query: Select) -> Select:
        query = query.where(Pair.hidden.is_(False), Pair.batch.not_in(unpublished()))
        query = query.where(Pair.origin == "")
        return query if self._of is None else query.where(Pair.dataset_id == self._of)

    def _standing(self) -> Select:
        query = select(func.count()).select_from(CurrentLabel)
        query = query.join(Label, Label.id == CurrentLabel.label_id)
        return self._seen(query.join(Pair, Pair.id == CurrentLabel.pair_id))

    def _waiting(self, who: int, failed: Collection[int] = ()) -> Select:
        """Ordinary pairs that wait for an answer of this person, who gets none of `failed`."""
        query = self._pairs().where(Pair.open.is_(True), ~_said(who))
        return query.where(Pair.dataset_id.not_in(failed)) if failed else query

    def _answered_again(self, who: int, since: float = 0.0) -> int:
        return self._number(self._repeats(who).where(Label.created_at >= since))

    def _repeats(self, who: int) -> Select:
        """Answers of this person to second showings."""
        query = select(func.count()).select_from(Repeat)
        query = query.join(Pair, Pair.id == Repeat.pair_id)
        query = self._seen(query.join(Label, Label.id == Repeat.answer_id))
        return query.where(Repeat.annotator_id == who)

    def _showings(
        self, who: int, person: Viewer, known: dict[int, Project], failed: Collection[int]
    ) -> tuple[int, int]:
        """What this person has been shown and will be, as far as that can be known; and how much
        of it is for the second time.

        No answer of theirs changes it: gold pairs and second showings are counted as they are
        expected, before they come. Of a dataset whose qualification round they failed it is what
        they answered, because nothing of it comes any more.
        """
        ordinary = self._by_dataset(
            self._pairs().where(Pair.gold.is_(False), or_(Pair.open.is_(True), _said(who)))
        )
        before, gold = self._gold(who)
        again = self._again(who, person, known)
        total = twice = 0
        if failed:
            given = self._by_dataset(self._standing().where(CurrentLabel.annotator_id == who))
            repeated = self._by_dataset(self._repeats(who))
            twice = sum(repeated.get(number, 0) for number in failed)
            total = sum(given.get(number, 0) for number in failed) + twice
        for number, project in known.items():
            if number in failed:
                continue
            answered = ordinary.get(number, 0) + before.get(number, 0)
            twice += again.get(number, 0)
            total += answered + again.get(number, 0)
            total += min(gold.get(number, 0), _gold_due(answered, project.settings))
        return total, twice

    def _gold(self, who: int) -> tuple[dict[int, int], dict[int, int]]:
        """By dataset, gold pairs whose answers of this person say nothing, and the others."""
        query = self._pairs().join(Gold, Gold.pair_id == Pair.id).where(Gold.active.is_(True))
        query = query.join(Annotator, Annotator.id == who)
        earlier = select(Label.id).where(Label.id == checks.FIRST_ANSWER)
        says_nothing = or_(
            earlier.where(Label.created_at < Gold.created_at).correlate(Gold, Annotator).exists(),
            and_(~checks.IS_OTHERS, earlier.correlate(Gold, Annotator).exists()),
        )
        return self._by_dataset(query.where(says_nothing)), self._by_dataset(
            query.where(~says_nothing, checks.IS_OTHERS)
        )

    def _again(self, who: int, person: Viewer, known: dict[int, Project]) -> dict[int, int]:
        """By dataset, second showings that were planned, and those that will be."""
        planned = self._pairs().join(Repeat, Repeat.pair_id == Pair.id)
        counts = self._by_dataset(planned.where(Repeat.annotator_id == who))
        for number, project in known.items():
            share = 0.0 if project.settings.show_authors else project.settings.repeat_share
            if not share:
                continue
            untouched = Pair.id.not_in(_labels_of(who))
            of_dataset = self._waiting(who).where(Pair.dataset_id == number, untouched)
            ids = of_dataset.with_only_columns(Pair.id).order_by(Pair.id).limit(DRAWN_ONE_BY_ONE)
            drawn, asked = self._drawn(person, share, ids)
            more = self._number(of_dataset) - asked if asked == DRAWN_ONE_BY_ONE else 0
            # Skipped at first, so that they do not come again; they were counted before.
            skipped = self._seen(select(Pair.id).join(Label, Label.pair_id == Pair.id))
            skipped = skipped.where(Label.annotator_id == who, Label.version == 1)
            skipped = skipped.where(Label.kind.in_(ABSTENTIONS), Pair.dataset_id == number)
            drawn += self._drawn(person, share, skipped.where(Pair.gold.is_(False)))[0]
            counts[number] = counts.get(number, 0) + drawn + int(share * more)
        return counts

    def _drawn(self, person: Viewer, share: float, ids: Select) -> tuple[int, int]:
        """How many of the pairs are drawn to come again, and of how many."""
        pairs = self._connection.execute(ids).scalars().all()
        return sum(checks.is_repeated(person, pair, share) for pair in pairs), len(pairs)

    def _by_dataset(self, query: Select) -> dict[int, int]:
        query = query.with_only_columns(Pair.dataset_id, func.count()).group_by(Pair.dataset_id)
        return {number: count for number, count in self._connection.execute(query)}

    def _median(self, times: Select) -> float | None:
        times = times.where(Label.elapsed_ms.is_not(None)).order_by(Label.id.desc()).limit(RECENT)
        elapsed = self._connection.execute(times).scalars().all()
        return round(median(elapsed) / 1000, 1) if elapsed else None

    def _number(self, query: Select) -> int:
        return self._connection.execute(query).scalar_one()


def _day(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).date().isoformat()


def _said(who: int) -> ColumnElement[bool]:
    """Whether an answer of this person to the pair stands."""
    return Pair.id.in_(_labels_of(who).where(CurrentLabel.label_id.is_not(None)))


def _labels_of(who: int) -> Select:
    # Looked up once; asked pair by pair it would take a second of a large library.
    return select(CurrentLabel.pair_id).where(CurrentLabel.annotator_id == who)


def _gold_due(answered: int, settings: ProjectSettings) -> int:
    """Gold pairs that come with so many other answers; see `checks.due_gold`."""
    if settings.gold_share >= 1:
        return settings.qualification + answered + 1_000_000
    mixed_in = settings.gold_share * max(0, answered - 1) / (1 - settings.gold_share)
    return settings.qualification + int(mixed_in + 1e-9)
