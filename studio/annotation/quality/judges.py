"""Models that judge pairs: what they said, and how far they agree with gold and with people.

A judgement is no label. It finishes no pair, is in no figure of people's and in no export, until a
lead lets a judge be counted: then its judgements become labels under its own name. Reached as
`AnnotationStore.judges`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select

from studio.annotation.database.connection import Database
from studio.annotation.database.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Label,
    Pair,
)
from studio.annotation.database.team_tables import Gold, Judgement
from studio.annotation.labeling import assignment, labels, undo
from studio.annotation.labeling.pair_card import cards
from studio.annotation.labeling.project_settings import project
from studio.annotation.library.import_staging import unpublished
from studio.annotation.quality import audit_log
from studio.annotation.quality.agreement import measured_kappa
from studio.annotation.quality.confidence_interval import MeasuredFigure, share, undefined
from studio.annotation.records import VOTES, LabelEvent, PairCard, is_judge
from studio.core.errors import InputError

UNREADABLE = "unreadable"
FIRST, SECOND, TIE = 0, 1, 2
LONGEST_WORDS = 2_000
"""Characters of a judge's own words that are kept."""
NO_VERDICT = "It has given no verdict that can be read."
NO_GOLD = "It has given no readable verdict on a gold pair."
NO_PEOPLE = "No pair that it judged has a majority of people."


@dataclass(frozen=True)
class Judged:
    """What a judge says of one pair; as the columns of `Judgement`."""

    pair_id: int
    kind: str
    winner_id: int | None
    changed_mind: bool
    said: tuple[str, str]
    model: str
    prompt: str


@dataclass(frozen=True)
class JudgeFigures:
    """How good a judge is.

    Attributes:
        pairs: How many it judged; `ties` and `unreadable` of them.
        changed_mind: Share of the readable ones where its preference went with the order.
        gold: Share of gold pairs judged rightly.
        gold_kappa, people_kappa: Cohen's κ against gold, and against the majority of people.
        people: Cohen's κ against each person.
        wins: How often it preferred an answer of each author.
        counted: Whether a lead lets its judgements count as labels.
    """

    judge: str
    pairs: int
    ties: int
    unreadable: int
    changed_mind: MeasuredFigure
    gold: MeasuredFigure
    gold_kappa: MeasuredFigure
    people_kappa: MeasuredFigure
    people: Mapping[str, MeasuredFigure] = field(default_factory=dict)
    wins: Mapping[str, int] = field(default_factory=dict)
    counted: bool = False


class Judges:
    """What models that judge said in a store."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def waiting(self, dataset: str, judge: str, prompt: str) -> list[int]:
        """List the pairs that a judge has not judged, or in answer to another question.

        Raises:
            NotFoundError: There is no such dataset.
        """
        known = select(Judgement.pair_id).where(
            Judgement.judge == judge, Judgement.prompt == prompt
        )
        with self._database.read() as connection:
            number = project(connection, dataset).id
            query = _pairs(number).where(Pair.id.not_in(known)).order_by(Pair.id)
            return list(connection.execute(query).scalars())

    def cards(self, pairs: Sequence[int], judge: str) -> list[PairCard]:
        """Read pairs as a judge sees them: blind; those that are gone are left out."""
        with self._database.read() as connection:
            return cards(connection, [(pair, False) for pair in pairs], judge)

    def keep(self, judge: str, found: Iterable[Judged]) -> None:
        """Keep what a judge says, in place of what it said of the same pairs before."""
        if not is_judge(judge) or len(judge) > 200:
            raise InputError(f"{judge[:60]!r} is no name of a judge.", field="judge")
        now = self._clock()
        with self._database.write() as connection:
            for one in found:
                # The write lock is held: nothing comes between.
                there = select(Pair.id).where(Pair.id == one.pair_id)
                if connection.execute(there).first() is None:
                    continue
                same = (Judgement.pair_id == one.pair_id, Judgement.judge == judge)
                connection.execute(delete(Judgement).where(*same))
                values = {
                    "pair_id": one.pair_id,
                    "judge": judge,
                    "kind": one.kind,
                    "winner_id": one.winner_id,
                    "changed_mind": one.changed_mind,
                    "said": [words[:LONGEST_WORDS] for words in one.said],
                    "model": one.model[:2400],
                    "prompt": one.prompt,
                }
                connection.execute(insert(Judgement).values(created_at=now, **values))

    def names(self, dataset: str) -> list[str]:
        """List who has judged pairs of a dataset. Raises NotFoundError."""
        with self._database.read() as connection:
            number = project(connection, dataset).id
            query = (
                select(Judgement.judge)
                .join(Pair, Pair.id == Judgement.pair_id)
                .where(Pair.dataset_id == number)
                .distinct()
                .order_by(Judgement.judge)
            )
            return list(connection.execute(query).scalars())

    def figures(self, dataset: str, judge: str) -> JudgeFigures:
        """Measure a judge against gold and against people. Raises NotFoundError."""
        with self._database.read() as connection:
            number = project(connection, dataset).id
            return _figures(connection, number, judge)

    def count(self, lead: str, dataset: str, judge: str) -> int:
        """Let a judge's judgements count as labels under its name; returns how many came.

        Raises:
            InputError: It has judged nothing here.
        """
        with self._database.write() as connection:
            number = project(connection, dataset).id
            found = _judgements(connection, number, judge)
            if not found:
                raise InputError(
                    f"{judge} has judged no pair of {dataset!r}.",
                    remedy="Let it judge first; python -m studio judge DATASET lists who has.",
                )
            votes = [one for one in found if one.kind != UNREADABLE]
            made = sum(self._vote(connection, judge, one) for one in votes)
            audit_log.note(
                connection, lead, "count judge", dataset, {"judge": judge}, self._clock()
            )
            return made

    def uncount(self, lead: str, dataset: str, judge: str) -> int:
        """Take the labels of a judge back; returns how many. Its judgements stay."""
        with self._database.write() as connection:
            number = project(connection, dataset).id
            standing = list(connection.execute(_standing(number, judge)).scalars())
            now = self._clock()
            for pair in standing:
                undo.undo(connection, judge, _key(judge, pair, "undo", now), pair, now)
            assignment.release_all(connection, judge)
            audit_log.note(connection, lead, "uncount judge", dataset, {"judge": judge}, now)
            return len(standing)

    def _vote(self, connection: Connection, judge: str, one: Judgement) -> bool:
        """Whether a judgement had not been counted yet."""
        (card,) = cards(connection, [(one.pair_id, False)], judge)
        current = card.current
        if current is not None and (current.kind, current.winner_id) == (one.kind, one.winner_id):
            return False
        event = LabelEvent(
            key=_key(judge, one.pair_id, str(card.version)),
            pair_id=one.pair_id,
            annotator=judge,
            kind="choose" if one.winner_id else "tie",
            winner_id=one.winner_id,
            expected_version=card.version,
            comment=f"Judged by {one.model}, question {one.prompt}, in both orders.",
        )
        labels.save(connection, event, self._clock())
        return True


def _pairs(dataset_id: int):
    """The pairs that there are to judge: of the source, in view."""
    return select(Pair.id).where(
        Pair.dataset_id == dataset_id,
        Pair.hidden.is_(False),
        Pair.origin == "",
        Pair.batch.not_in(unpublished()),
    )


def _judgements(connection: Connection, dataset_id: int, judge: str) -> Sequence:
    query = (
        select(Judgement.__table__, Pair.first_id)
        .join(Pair, Pair.id == Judgement.pair_id)
        .where(Judgement.judge == judge, Judgement.pair_id.in_(_pairs(dataset_id)))
        .order_by(Judgement.pair_id)
    )
    return connection.execute(query).all()


def _standing(dataset_id: int, judge: str):
    return (
        select(CurrentLabel.pair_id)
        .join(Annotator, Annotator.id == CurrentLabel.annotator_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .where(
            Annotator.name == judge,
            Pair.dataset_id == dataset_id,
            CurrentLabel.label_id.is_not(None),
        )
    )


def _figures(connection: Connection, dataset_id: int, judge: str) -> JudgeFigures:
    found = _judgements(connection, dataset_id, judge)
    readable = {one.pair_id: one for one in found if one.kind != UNREADABLE}
    verdicts = {n: _value(one.kind, one.winner_id, one.first_id) for n, one in readable.items()}
    gold = {
        row.pair_id: _value(row.kind, row.winner_id, row.first_id)
        for row in connection.execute(
            select(Gold.pair_id, Gold.kind, Gold.winner_id, Pair.first_id)
            .join(Pair, Pair.id == Gold.pair_id)
            .where(Gold.dataset_id == dataset_id, Gold.active.is_(True))
        )
    }
    people = _people(connection, dataset_id)
    authors = connection.execute(
        select(Candidate.id, Candidate.author).where(
            Candidate.id.in_({one.winner_id for one in readable.values() if one.winner_id})
        )
    )
    by_id = {row.id: row.author for row in authors}
    on_gold = [verdicts[n] == right for n, right in gold.items() if n in verdicts]
    return JudgeFigures(
        judge=judge,
        pairs=len(found),
        ties=sum(value == TIE for value in verdicts.values()),
        unreadable=len(found) - len(readable),
        changed_mind=share(
            sum(one.changed_mind for one in readable.values()), len(readable), NO_VERDICT
        ),
        gold=share(sum(on_gold), len(on_gold), NO_GOLD),
        gold_kappa=_kappa(verdicts, gold, NO_GOLD),
        people_kappa=_kappa(verdicts, _majorities(people), NO_PEOPLE),
        people={
            name: _kappa(verdicts, said, NO_PEOPLE)
            for name, said in sorted(people.items())
            if verdicts.keys() & said.keys()
        },
        wins=dict(
            Counter(by_id[one.winner_id] for one in readable.values() if one.winner_id in by_id)
        ),
        counted=connection.execute(_standing(dataset_id, judge)).first() is not None,
    )


def _people(connection: Connection, dataset_id: int) -> dict[str, dict[int, int]]:
    """What each person says of each pair."""
    query = (
        select(Annotator.name, Pair.id, Label.kind, Label.winner_id, Pair.first_id)
        .select_from(CurrentLabel)
        .join(Label, Label.id == CurrentLabel.label_id)
        .join(Annotator, Annotator.id == CurrentLabel.annotator_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .where(Pair.id.in_(_pairs(dataset_id)), Label.kind.in_(VOTES))
    )
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for name, pair, kind, winner, first in connection.execute(query):
        if not is_judge(name):
            found[name][pair] = _value(kind, winner, first)
    return found


def _majorities(people: Mapping[str, Mapping[int, int]]) -> dict[int, int]:
    """What more people say of a pair than anything else; pairs without that are left out."""
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for said in people.values():
        for pair, value in said.items():
            votes[pair][value] += 1
    found = {}
    for pair, counts in votes.items():
        (value, most), *others = counts.most_common()
        if not others or others[0][1] < most:
            found[pair] = value
    return found


def _kappa(one: Mapping[int, int], two: Mapping[int, int], why: str) -> MeasuredFigure:
    common = sorted(one.keys() & two.keys())
    if not common:
        return undefined(why)
    return measured_kappa([one[n] for n in common], [two[n] for n in common], _exchanged)


def _exchanged(value: int) -> int:
    """What a verdict is when the first and the second answer are exchanged."""
    return {FIRST: SECOND, SECOND: FIRST}.get(value, value)


def _value(kind: str, winner_id: int | None, first_id: int) -> int:
    if kind != "choose":
        return TIE
    return FIRST if winner_id == first_id else SECOND


def _key(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
