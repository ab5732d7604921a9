"""How well a dataset is labelled: every figure of the lead's dashboard, from one read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from operator import neg
from statistics import median
from typing import Any

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.orm import aliased

from studio.annotation.database.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Dataset,
    Label,
    Lease,
    Pair,
)
from studio.annotation.labeling.queue_order import RANDOM, RANKED
from studio.annotation.quality import agreement
from studio.annotation.quality import gold as checks
from studio.annotation.quality.confidence_interval import MeasuredFigure, share, undefined
from studio.annotation.records import ABSTENTIONS, VOTES

TOO_FAST_MS = 500
READ_A_SECOND = 250  # characters of both answers; ten times as fast as people read
SLACK_MS = 1_000
BREAK_SECONDS = 300.0
LEAST_WORK_SECONDS = 600.0
LEAST_WORK_ANSWERS = 5
"""From less than this, a number of answers an hour says nothing of anybody's pace."""
PACE_DAYS = 7
HOUR, DAY = 3_600.0, 86_400.0
STEPS = {"clearly": 3, "": 2, "slightly": 1}
NOMINAL = {"tie": 2, "both_good": 3, "both_bad": 4}
NO_CHOICE = "Nobody has chosen one answer over the other yet."


@dataclass(frozen=True)
class GivenAnswer:
    """One current answer with what the figures need."""

    pair_id: int
    annotator: str
    kind: str
    winner_id: int | None
    strength: str
    reason: str
    elapsed_ms: int | None
    shown_left_id: int | None
    created_at: float
    first_id: int
    first_length: int
    second_length: int
    gold: bool = False
    handed_at: float | None = None
    drawn: str | None = None

    @property
    def too_fast(self) -> bool:
        """Whether it was given before both answers can have been read.

        The page says how long the pair was shown, and the studio knows when it handed it out: the
        shorter of the two counts, and a page that says more than has passed says nothing.
        """
        times = [] if self.elapsed_ms is None else [float(self.elapsed_ms)]
        if self.handed_at is not None and self.created_at >= self.handed_at:
            since = 1000 * (self.created_at - self.handed_at)
            if times and times[0] > since + SLACK_MS:
                return True
            times.append(since)
        characters = self.first_length + self.second_length
        return bool(times) and min(times) < max(TOO_FAST_MS, 1000 * characters / READ_A_SECOND)

    @property
    def nominal(self) -> int:
        """Which answer: 0 and 1 for the first and the second, more for each kind of tie."""
        if self.kind == "choose":
            return 0 if self.winner_id == self.first_id else 1
        return NOMINAL[self.kind]

    @property
    def ordinal(self) -> int:
        """-3 (first clearly) to 3 (second clearly); all ties are 0."""
        if self.kind != "choose":
            return 0
        step = STEPS[self.strength]
        return -step if self.winner_id == self.first_id else step

    @property
    def lengths(self) -> tuple[int, int] | None:
        """Characters of the chosen and of the rejected answer."""
        if self.kind != "choose":
            return None
        both = (self.first_length, self.second_length)
        return both if self.winner_id == self.first_id else both[::-1]

    @property
    def longer_won(self) -> bool | None:
        """Whether the longer answer was chosen; None without a choice or a longer one."""
        if self.kind != "choose" or self.first_length == self.second_length:
            return None
        return (self.winner_id == self.first_id) == (self.first_length > self.second_length)

    @property
    def left_won(self) -> bool | None:
        """Whether the answer on the left was chosen; None where that is not known."""
        if self.kind != "choose" or self.shown_left_id is None:
            return None
        return self.winner_id == self.shown_left_id


@dataclass(frozen=True, kw_only=True)
class Habits:
    """The figures that one annotator and all together have alike."""

    answers: int
    median_seconds: float | None
    gold: MeasuredFigure
    consistency: MeasuredFigure
    left: MeasuredFigure
    longer: MeasuredFigure


@dataclass(frozen=True, kw_only=True)
class Person(Habits):
    """The figures of one annotator.

    Attributes:
        per_hour: While working, breaks over five minutes left out; undefined of a short time.
    """

    name: str
    skips: int
    per_hour: MeasuredFigure
    too_fast: int
    last_at: float | None = None


@dataclass(frozen=True)
class Forecast:
    """What is left: answers, hours of work at the median time, days at last week's pace."""

    answers: int
    hours: float | None
    days: float | None
    why: str = ""


@dataclass(frozen=True)
class AnswerPace:
    """Answers so far at the end of each `unit` (hour or day) since the first, from 0 on."""

    unit: str = "day"
    totals: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class RandomShare:
    """Figures of the pairs that were drawn by lot, of a queue whose others were chosen.

    Attributes:
        answers: Votes on them; `ranked`, votes on pairs that were chosen.
    """

    answers: int
    ranked: int
    nominal: MeasuredFigure
    percent: MeasuredFigure
    longer: MeasuredFigure


@dataclass(frozen=True, kw_only=True)
class Quality(Habits):
    """All figures of one dataset.

    Attributes:
        done: Pairs that need no more answers, gold ones too: those need none.
        golden: How many pairs are gold.
        by_lot: Figures of the random share; None where no answer is to a chosen pair.
        lengths: Medians of the chosen and the rejected answers.
        as_of: When they were measured (seconds since the epoch).
        answered: When the first and the last answer that counts was given.
    """

    pairs: int
    done: int
    nominal: MeasuredFigure
    ordinal: MeasuredFigure
    percent: MeasuredFigure
    kappas: Mapping[tuple[str, str], MeasuredFigure]
    too_fast: MeasuredFigure
    skip_reasons: dict[str, int]
    people: list[Person]
    forecast: Forecast
    pace: AnswerPace = field(default_factory=AnswerPace)
    lengths: tuple[float, float] | None = None
    as_of: float = 0.0
    answered: tuple[float, float] | None = None
    golden: int = 0
    by_lot: RandomShare | None = None


@dataclass(frozen=True)
class Gathered:
    """What one read of the database gives.

    Attributes:
        golden: See `checks.first_answers`.
        again: See `checks.second_answers`.
        gold_pairs: How many of the pairs are gold; they are done.
    """

    answers: list[GivenAnswer]
    pairs: int
    done: int
    missing: int
    golden: Sequence[tuple[str, bool]] = ()
    again: Sequence[tuple[str, bool]] = ()
    gold_pairs: int = 0


def gather(connection: Connection, dataset_id: int) -> Gathered:
    """Read the current answers of a dataset, and count those still missing."""
    here = (Pair.dataset_id == dataset_id, Pair.hidden.is_(False), Pair.origin == "")
    totals = connection.execute(
        select(
            func.count(),
            func.count().filter(Pair.open.is_(False)),
            func.count().filter(Pair.gold.is_(True)),
        ).where(*here)
    ).one()
    still_open = select(Pair.votes).where(*here, Pair.open.is_(True))
    votes = Counter(connection.execute(still_open).scalars())
    asked = select(Dataset.overlap).where(Dataset.id == dataset_id)
    overlap = connection.execute(asked).scalar_one()
    missing = sum(max(0, overlap - given) * number for given, number in votes.items())
    rows = connection.execute(_query(dataset_id, here))
    return Gathered(
        [GivenAnswer(*row) for row in rows],
        pairs=totals[0],
        done=totals[1],
        missing=missing,
        golden=checks.first_answers(connection, dataset_id),
        again=checks.second_answers(connection, dataset_id),
        gold_pairs=totals[2],
    )


def _query(dataset_id: int, here: tuple):
    first, second = aliased(Candidate), aliased(Candidate)
    return (
        select(
            Label.pair_id,
            Annotator.name.label("annotator"),
            Label.kind,
            Label.winner_id,
            Label.strength,
            Label.reason,
            Label.elapsed_ms,
            Label.shown_left_id,
            Label.created_at,
            Pair.first_id,
            first.length.label("first_length"),
            second.length.label("second_length"),
            Pair.gold,
            Lease.handed_at,
            Lease.drawn,
        )
        .select_from(CurrentLabel)
        .join(Label, Label.id == CurrentLabel.label_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .join(Annotator, Annotator.id == CurrentLabel.annotator_id)
        .join(first, first.id == Pair.first_id)
        .join(second, second.id == Pair.second_id)
        .outerjoin(
            Lease, and_(Lease.pair_id == Pair.id, Lease.annotator_id == CurrentLabel.annotator_id)
        )
        .where(*here)
        .order_by(Label.id)
    )


def measure(gathered: Gathered, now: float, resamples: int = 1000) -> Quality:
    """Compute the figures; gold pairs count for accuracy, not for agreement."""
    answers = gathered.answers
    votes = [answer for answer in answers if answer.kind in VOTES]
    ordinary = [answer for answer in votes if not answer.gold]
    nominal = [(answer.pair_id, answer.annotator, answer.nominal) for answer in ordinary]
    ordinal = [(answer.pair_id, answer.annotator, answer.ordinal) for answer in ordinary]
    reasons = Counter(
        "can't tell" if answer.kind == "unsure" else answer.reason or "no reason"
        for answer in answers
        if answer.kind in ABSTENTIONS
    )
    times = [answer.created_at for answer in answers]
    return Quality(
        pairs=gathered.pairs,
        done=gathered.done,
        nominal=agreement.alpha(nominal, "nominal", exchange=_other, resamples=resamples),
        ordinal=agreement.alpha(ordinal, "ordinal", exchange=neg, resamples=resamples),
        percent=agreement.percent_agreement(nominal),
        kappas={(str(a), str(b)): k for (a, b), k in agreement.kappas(nominal, _other).items()},
        too_fast=share(_too_fast(votes), len(votes), "There are no answers yet."),
        skip_reasons=dict(reasons.most_common()),
        people=_people(gathered),
        forecast=_forecast(gathered, now),
        pace=_pace(answers),
        lengths=_lengths(votes),
        as_of=now,
        answered=(min(times), max(times)) if times else None,
        golden=gathered.gold_pairs,
        by_lot=_by_lot(ordinary, resamples),
        **_habits(answers, gathered.golden, gathered.again),
    )


def _by_lot(votes: Sequence[GivenAnswer], resamples: int) -> RandomShare | None:
    """What the random share says; pairs that a model was unsure of are harder than most."""
    ranked = sum(vote.drawn == RANKED for vote in votes)
    if not ranked:
        return None
    mine = [vote for vote in votes if vote.drawn == RANDOM]
    nominal = [(vote.pair_id, vote.annotator, vote.nominal) for vote in mine]
    return RandomShare(
        len(mine),
        ranked,
        agreement.alpha(nominal, "nominal", exchange=_other, resamples=resamples),
        agreement.percent_agreement(nominal),
        _rate([vote.longer_won for vote in mine]),
    )


def _habits(
    answers: Sequence[GivenAnswer],
    golden: Sequence[tuple[str, bool]],
    again: Sequence[tuple[str, bool]],
) -> dict[str, Any]:
    """Compute the `Habits` that answers show."""
    votes = [answer for answer in answers if answer.kind in VOTES]
    return {
        "answers": len(answers),
        "median_seconds": _median(answers),
        "gold": agreement.gold_accuracy(sum(right for _, right in golden), len(golden)),
        "consistency": agreement.self_consistency(sum(same for _, same in again), len(again)),
        "left": _rate([vote.left_won for vote in votes]),
        "longer": _rate([vote.longer_won for vote in votes]),
    }


def _other(nominal: int) -> int:
    """What a nominal value is when the pair's first and second answer are exchanged."""
    return {0: 1, 1: 0}.get(nominal, nominal)


def _people(gathered: Gathered) -> list[Person]:
    """Everybody with an answer that stands, or a first one to a gold pair or a second showing."""
    answers: defaultdict[str, list[GivenAnswer]] = defaultdict(list)
    golden: defaultdict[str, list[tuple[str, bool]]] = defaultdict(list)
    again: defaultdict[str, list[tuple[str, bool]]] = defaultdict(list)
    for answer in gathered.answers:
        answers[answer.annotator].append(answer)
    for of_name, checked in ((golden, gathered.golden), (again, gathered.again)):
        for name, right in checked:
            of_name[name].append((name, right))
    names = sorted({*answers, *golden, *again})
    return [_person(name, answers[name], golden[name], again[name]) for name in names]


def _person(
    name: str,
    answers: Sequence[GivenAnswer],
    golden: Sequence[tuple[str, bool]],
    again: Sequence[tuple[str, bool]],
) -> Person:
    votes = [answer for answer in answers if answer.kind in VOTES]
    return Person(
        name=name,
        skips=sum(answer.kind in ABSTENTIONS for answer in answers),
        per_hour=_per_hour([answer.created_at for answer in answers]),
        too_fast=_too_fast(votes),
        last_at=max((answer.created_at for answer in answers), default=None),
        **_habits(answers, golden, again),
    )


def _rate(values: Sequence[bool | None]) -> MeasuredFigure:
    known = [value for value in values if value is not None]
    return share(sum(known), len(known), NO_CHOICE)


def _too_fast(votes: Sequence[GivenAnswer]) -> int:
    return sum(vote.too_fast for vote in votes)


def _lengths(votes: Sequence[GivenAnswer]) -> tuple[float, float] | None:
    known = [vote.lengths for vote in votes if vote.lengths is not None]
    if not known:
        return None
    chosen, rejected = zip(*known, strict=True)
    return median(chosen), median(rejected)


def _median(answers: Sequence[GivenAnswer]) -> float | None:
    times = [answer.elapsed_ms for answer in answers if answer.elapsed_ms is not None]
    return round(median(times) / 1000, 1) if times else None


def _per_hour(times: Sequence[float]) -> MeasuredFigure:
    ordered = sorted(times)
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    working = [gap for gap in gaps if gap <= BREAK_SECONDS]
    seconds = sum(working)
    if seconds < LEAST_WORK_SECONDS or len(working) < LEAST_WORK_ANSWERS:
        least = LEAST_WORK_SECONDS / 60
        return undefined(f"Needs {least:g} minutes of work and {LEAST_WORK_ANSWERS} answers.")
    return MeasuredFigure(round(HOUR * len(working) / seconds, 1), count=len(working))


def _forecast(gathered: Gathered, now: float) -> Forecast:
    typical = _median(gathered.answers)
    recent = [answer for answer in gathered.answers if answer.created_at > now - PACE_DAYS * DAY]
    hours = None if typical is None else gathered.missing * typical / 3600
    if not recent:
        return Forecast(gathered.missing, hours, None, "No answers in the last seven days.")
    first = min(answer.created_at for answer in recent)
    days = max((now - first) / DAY, 1 / 24)
    return Forecast(gathered.missing, hours, round(gathered.missing * days / len(recent), 1))


def _pace(answers: Sequence[GivenAnswer]) -> AnswerPace:
    if not answers:
        return AnswerPace()
    times = [answer.created_at for answer in answers]
    start = min(times)
    unit, seconds = ("day", DAY) if max(times) - start >= 2 * DAY else ("hour", HOUR)
    counts = Counter(int((at - start) // seconds) for at in times)
    totals = accumulate(counts[number] for number in range(max(counts) + 1))
    return AnswerPace(unit, ((0, 0), *((number, total) for number, total in enumerate(totals, 1))))
