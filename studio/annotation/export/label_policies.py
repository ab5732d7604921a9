"""From labels to preferences: a lead's decision, else the majority of each pair, by candidate id."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, func, select

from studio.annotation.database.tables import Annotator, CurrentLabel, Label, Pair
from studio.annotation.database.team_tables import Decision, Gold
from studio.annotation.labeling.project_settings import project
from studio.annotation.labeling.projection import REOPEN
from studio.annotation.library import browse
from studio.annotation.library.import_rows import CHUNK
from studio.annotation.records import (
    ABSTENTIONS,
    TIES,
    ExportPolicy,
    ItemFilter,
    ItemView,
    PairView,
)
from studio.data.schema import Row

REASONS = {
    "unlabelled": "no label yet",
    "skipped": "only skipped or undecided",
    "tied": "a tie, or as many votes for each",
    "too_few_votes": "fewer votes than asked for",
    "same_text": "both answers say the same",
    "empty": "an answer is empty",
    "no_image": "an image is missing from the workspace",
    "excluded": "excluded in the library",
    "low_agreement": "less agreement than asked for",
    "circular": "every answer is rejected in favour of another",
    "undone": "written with an answer that was undone or replaced",
    "not_asked_for": "written answers, which were not asked for",
    "image_tag": "a text spells <image>, which this format reads as a picture",
    "image_type": "a picture of a type that this format does not take",
    "image_size": "more or larger pictures than this format takes",
    "even": "as often good as bad",
    "lengths": "left out so that the longer answer wins in half of the pairs",
}


@dataclass
class Preferences:
    """Training rows, and how many pairs were left out for each reason in REASONS."""

    rows: list[Row] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Verdict:
    """What a pair's labels add up to: a winner with its votes, or why there is none."""

    winner_id: int | None = None
    votes: int = 0
    reason: str = ""


def decide(votes: Counter, policy: ExportPolicy) -> Verdict:
    """Decide one pair by the majority of its votes.

    Args:
        votes: Count by candidate id for choices, by kind for everything else.
        policy: How ties count and how many votes a winner needs.
    """
    choices = Counter({key: n for key, n in votes.items() if isinstance(key, int)})
    ties = sum(votes[kind] for kind in TIES)
    if not choices and not ties:
        abstained = any(votes[kind] for kind in ABSTENTIONS)
        return Verdict(reason="skipped" if abstained else "unlabelled")
    if not choices:
        return Verdict(reason="tied")
    (winner, most), *others = choices.most_common()
    rivals = sum(n for _, n in others) + (ties if policy.ties == "drop" else 0)
    if most <= rivals:
        return Verdict(reason="tied")
    if most < policy.minimum_votes:
        return Verdict(reason="too_few_votes")
    counted = choices.total() + (ties if policy.ties == "drop" else 0)
    if most / counted < policy.minimum_agreement:
        return Verdict(reason="low_agreement")
    return Verdict(winner, most)


def preferences(connection: Connection, dataset: str, policy: ExportPolicy) -> Preferences:
    """Make training rows of a dataset's labels, in the order of its items.

    Raises:
        NotFoundError: There is no such dataset.
    """
    dataset_id = project(connection, dataset).id
    votes = _votes(connection, dataset_id, policy.annotators)
    settled = facts(connection, dataset_id, policy.annotators)
    result = Preferences()
    ids = browse.ids(connection, ItemFilter(dataset=dataset))
    pages = (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
    for item in (item for page in pages for item in browse.items(connection, page)):
        if item.excluded:
            result.left_out["excluded"] += len(item.pairs)
            continue
        rows = []
        for pair in item.pairs:
            fact = settled.get(pair.id, NOTHING)
            verdict = _verdict(pair, votes[pair.id], policy, fact)
            row = None if verdict.winner_id is None else _row(item, pair, verdict, fact)
            if row is not None and (flaw := _flaw(row)):
                verdict, row = Verdict(reason=flaw), None
            if row is None:
                result.left_out[verdict.reason] += 1
            else:
                rows.append(row)
        # One row keeps the item's id; several get the pair's added, so that ids stay unique.
        several = len(rows) > 1
        result.rows += [
            replace(row, external_id=f"{item.external_id}#{row.meta['pair']}") if several else row
            for row in rows
        ]
    return _balanced(result) if policy.balance_lengths else result


def _votes(
    connection: Connection, dataset_id: int, annotators: tuple[str, ...]
) -> dict[int, Counter]:
    query = (
        select(Label.pair_id, Label.kind, Label.winner_id)
        .select_from(CurrentLabel)
        .join(Label, Label.id == CurrentLabel.label_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .where(Pair.dataset_id == dataset_id)
    )
    if annotators:
        query = query.join(Annotator, Annotator.id == CurrentLabel.annotator_id)
        query = query.where(Annotator.name.in_(annotators))
    votes: dict[int, Counter] = defaultdict(Counter)
    for row in connection.execute(query):
        votes[row.pair_id][row.winner_id if row.kind == "choose" else row.kind] += 1
    return votes


@dataclass(frozen=True)
class Fact:
    """What is known of a pair besides its votes.

    Attributes:
        decided: A lead's answer, or that of a gold pair: kind and winner.
        origin: `edit` or `ideal`: its preferred answer was written by an annotator.
        standing: The answer it was written with still stands, and by somebody asked for.
    """

    decided: tuple[str, int | None] | None = None
    origin: str = ""
    standing: bool = True


NOTHING = Fact()


def facts(
    connection: Connection, dataset_id: int, annotators: tuple[str, ...] = ()
) -> dict[int, Fact]:
    """Read by pair what is known besides its votes."""
    newest = select(func.max(Decision.id)).group_by(Decision.pair_id)
    golden = (
        select(Gold.pair_id, Gold.kind, Gold.winner_id)
        .where(Gold.active.is_(True), Gold.dataset_id == dataset_id)
        .order_by(Gold.pair_id)
    )
    decisions = (
        select(Decision.pair_id, Decision.kind, Decision.winner_id)
        .join(Pair, Pair.id == Decision.pair_id)
        .where(Decision.id.in_(newest), Decision.kind != REOPEN, Pair.dataset_id == dataset_id)
    )
    known = {}
    for query in (golden, decisions):
        for row in connection.execute(query):
            known[row.pair_id] = Fact(decided=(row.kind, row.winner_id))
    written = (
        select(Pair.id, Pair.origin, CurrentLabel.label_id, Annotator.name)
        .join(Label, Label.id == Pair.origin_label_id)
        .join(Annotator, Annotator.id == Label.annotator_id)
        .outerjoin(CurrentLabel, CurrentLabel.label_id == Pair.origin_label_id)
        .where(Pair.dataset_id == dataset_id, Pair.origin != "")
    )
    for one in connection.execute(written):
        asked = not annotators or one.name in annotators
        known[one.id] = Fact(origin=one.origin, standing=one.label_id is not None and asked)
    return known


def _verdict(pair: PairView, votes: Counter, policy: ExportPolicy, fact: Fact) -> Verdict:
    if fact.origin:
        if not policy.include_written:
            return Verdict(reason="not_asked_for")
        return Verdict(pair.source_choice_id, 1) if fact.standing else Verdict(reason="undone")
    if fact.decided is not None:
        kind, winner = fact.decided
        given = votes[winner] if kind == "choose" else 0
        return Verdict(winner, given) if kind == "choose" else Verdict(reason="tied")
    verdict = decide(votes, policy)
    usable = policy.include_imported and pair.source_choice_id is not None
    if usable and verdict.reason in ("unlabelled", "skipped"):
        return Verdict(pair.source_choice_id, 0)
    return verdict


def _row(item: ItemView, pair: PairView, verdict: Verdict, fact: Fact) -> Row:
    answers = {c.id: c.answer for c in item.candidates}
    origin = {"written": fact.origin} if fact.origin else {}
    winner = pair.first_id if verdict.winner_id == pair.first_id else pair.second_id
    loser = pair.second_id if winner == pair.first_id else pair.first_id
    return Row(
        external_id=item.external_id,
        images=item.images,
        prompt=item.prompt,
        chosen=answers[winner],
        rejected=answers[loser],
        meta={**item.meta, "votes": verdict.votes, "pair": pair.id, **origin},
    )


def _flaw(row: Row) -> str:
    """Why two answers teach nothing, by its key in REASONS; empty when they do."""
    chosen, rejected = (answer.text.strip() for answer in row.preference)
    if not chosen or not rejected:
        return "empty"
    return "same_text" if chosen == rejected else ""


def _balanced(result: Preferences) -> Preferences:
    """Leaves out rows by a repeatable draw until the longer answer wins in half of them."""
    sides: dict[bool, list[int]] = {True: [], False: []}
    for number, row in enumerate(result.rows):
        chosen, rejected = row.preference
        longer = len(chosen.text) - len(rejected.text)
        if longer:
            sides[longer > 0].append(number)
    more, fewer = sorted(sides.values(), key=len, reverse=True)
    surplus = len(more) - len(fewer)

    def draw(number: int) -> str:
        chosen, rejected = result.rows[number].preference
        text = f"{result.rows[number].external_id}|{chosen.text}|{rejected.text}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    dropped = set(sorted(more, key=draw)[:surplus])
    rows = [row for number, row in enumerate(result.rows) if number not in dropped]
    if surplus:
        result.left_out["lengths"] += surplus
    return Preferences(rows, result.left_out)
