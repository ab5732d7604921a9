"""From labels to preferences: the majority of each pair, by candidate id."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, select

from studio.annotation import browse
from studio.annotation.importing import CHUNK
from studio.annotation.staging import unpublished
from studio.annotation.tables import CurrentLabel, Dataset, Item, Label, Pair
from studio.annotation.views import ABSTENTIONS, TIES, ExportPolicy, ItemView, PairView
from studio.data.schema import Answer, Row
from studio.errors import NotFoundError

REASONS = {
    "unlabelled": "no label yet",
    "skipped": "only skipped or undecided",
    "tied": "a tie, or as many votes for each",
    "too_few_votes": "fewer votes than asked for",
    "same_text": "both answers say the same",
    "excluded": "excluded in the library",
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
    """Majority of one pair.

    Args:
        votes: Count by candidate id for choices, by kind for everything else.
        policy: How ties count and how many votes a winner needs.
    """
    choices = Counter({key: n for key, n in votes.items() if isinstance(key, int)})
    ties = sum(votes[kind] for kind in TIES)
    if not choices and not ties:
        abstained = any(votes[kind] for kind in ABSTENTIONS)
        return Verdict(reason="skipped" if abstained else "unlabelled")
    (winner, most), *others = choices.most_common() or [(None, 0)]
    rivals = sum(n for _, n in others) + (ties if policy.ties == "drop" else 0)
    if winner is None or most <= rivals:
        return Verdict(reason="tied")
    if most < policy.minimum_votes:
        return Verdict(reason="too_few_votes")
    return Verdict(winner, most)


def preferences(connection: Connection, dataset: str, policy: ExportPolicy) -> Preferences:
    """The preferences of a dataset, in the order of its items.

    Raises:
        NotFoundError: There is no such dataset.
    """
    query = select(Dataset.id).where(Dataset.name == dataset)
    dataset_id = connection.execute(query).scalar()
    if dataset_id is None:
        raise NotFoundError(
            f"There is no dataset {dataset!r}.", remedy="Import it first.", field="dataset"
        )
    votes = _votes(connection, dataset_id)
    found = Preferences()
    for item in _items(connection, dataset_id):
        if item.excluded:
            found.left_out["excluded"] += len(item.pairs)
            continue
        rows = []
        for pair in item.pairs:
            verdict = _verdict(pair, votes[pair.id], policy)
            row = None if verdict.winner_id is None else _row(item, pair, verdict)
            if row is not None and row.chosen.text.strip() == row.rejected.text.strip():
                verdict, row = Verdict(reason="same_text"), None
            if row is None:
                found.left_out[verdict.reason] += 1
            else:
                rows.append(row)
        found.rows.extend(_named(item, rows))
    return found


def _votes(connection: Connection, dataset_id: int) -> dict[int, Counter]:
    query = (
        select(Label.pair_id, Label.kind, Label.winner_id)
        .select_from(CurrentLabel)
        .join(Label, Label.id == CurrentLabel.label_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .where(Pair.dataset_id == dataset_id)
    )
    votes: dict[int, Counter] = defaultdict(Counter)
    for row in connection.execute(query):
        votes[row.pair_id][row.winner_id if row.kind == "choose" else row.kind] += 1
    return votes


def _items(connection: Connection, dataset_id: int) -> Iterator[ItemView]:
    query = select(Item.id).where(Item.dataset_id == dataset_id, Item.deleted_at.is_(None))
    query = query.where(Item.batch.not_in(unpublished())).order_by(Item.id)
    ids = list(connection.execute(query).scalars())
    for start in range(0, len(ids), CHUNK):
        yield from browse.items(connection, ids[start : start + CHUNK])


def _verdict(pair: PairView, votes: Counter, policy: ExportPolicy) -> Verdict:
    verdict = decide(votes, policy)
    usable = policy.include_imported and pair.source_choice_id is not None
    if usable and verdict.reason in ("unlabelled", "skipped"):
        return Verdict(pair.source_choice_id, 0)
    return verdict


def _row(item: ItemView, pair: PairView, verdict: Verdict) -> Row:
    answers = {c.id: Answer(c.text, c.author) for c in item.candidates}
    loser = pair.second_id if verdict.winner_id == pair.first_id else pair.first_id
    return Row(
        external_id=item.external_id,
        images=item.images,
        prompt=item.prompt,
        chosen=answers[verdict.winner_id],
        rejected=answers[loser],
        meta={**item.meta, "votes": verdict.votes, "pair": pair.id},
    )


def _named(item: ItemView, rows: list[Row]) -> list[Row]:
    """One row keeps the item's id; several get the pair's added, so that ids stay unique."""
    if len(rows) < 2:
        return rows
    return [replace(row, external_id=f"{item.external_id}#{row.meta['pair']}") for row in rows]
