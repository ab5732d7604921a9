"""What the labels of a pair add up to: its votes, whether it waits for more, whether for a lead."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from studio.annotation.database.tables import CurrentLabel, Dataset, Label, Pair
from studio.annotation.database.team_tables import Decision
from studio.annotation.labeling.project_settings import ProjectSettings, stored
from studio.annotation.records import ABSTENTIONS, VOTES

QUEUES = {
    "skipped": "skipped or undecided too often",
    "disagreed": "no majority",
    "flagged": "flagged by an annotator",
    "decided": "decided by a lead",
}
REOPEN = "reopen"
CHUNK = 500


@dataclass(frozen=True)
class Vote:
    """One current answer; `choice` is the winner's id or the kind."""

    kind: str
    choice: int | str
    flagged: bool = False


@dataclass(frozen=True)
class State:
    """The projected columns of a pair."""

    votes: int
    skips: int
    open: bool
    queue: str


def pair_state(
    votes: Sequence[Vote], settings: ProjectSettings, *, decided: bool = False, closed: bool = False
) -> State:
    """Compute the state of one pair from its votes and settings.

    Args:
        decided: A lead's decision stands.
        closed: Never handed out by an ordinary claim (gold, or written by an annotator).
    """
    counted = [vote for vote in votes if vote.kind in VOTES]
    skips = sum(vote.kind in ABSTENTIONS for vote in votes)
    full = len(counted) >= settings.overlap
    most = max(Counter(vote.choice for vote in counted).values(), default=0)
    queue = ""
    if decided:
        queue = "decided"
    elif closed:
        queue = ""
    elif not full and skips >= settings.skip_limit:
        queue = "skipped"
    elif full and 2 * most <= len(counted) > 1:  # no majority
        queue = "disagreed"
    elif any(vote.flagged for vote in votes):
        queue = "flagged"
    waiting = not full and not closed and queue not in ("decided", "skipped")
    return State(len(counted), skips, waiting, queue)


def project_pairs(connection: Connection, pairs: Sequence[int], *, ruled: bool = False) -> None:
    """Bring the states of `pairs` up to date, in the caller's writing transaction.

    Args:
        ruled: A lead's decision came or went; without it they stand as they did.
    """
    for start in range(0, len(pairs), CHUNK):
        _project(connection, pairs[start : start + CHUNK], ruled)


def project_dataset(connection: Connection, dataset_id: int) -> None:
    """Bring the states of all pairs of a dataset up to date, after its settings changed."""
    ids = connection.execute(select(Pair.id).where(Pair.dataset_id == dataset_id)).scalars()
    project_pairs(connection, list(ids))


COLUMNS = (
    Pair.id,
    Pair.votes,
    Pair.skips,
    Pair.open,
    Pair.queue,
    Pair.gold,
    Pair.origin,
    Dataset.overlap,
    Dataset.settings,
)
PAIRS = (
    select(*COLUMNS)
    .join(Dataset, Dataset.id == Pair.dataset_id)
    .where(Pair.id.in_(bindparam("pairs", expanding=True)))
)
_CURRENT = select(CurrentLabel.pair_id, Label.kind, Label.winner_id, Label.flagged).join(
    Label, Label.id == CurrentLabel.label_id
)
CURRENT = _CURRENT.where(CurrentLabel.pair_id.in_(bindparam("pairs", expanding=True)))
CURRENT_OF = _CURRENT.where(CurrentLabel.pair_id == bindparam("pair"))
DECIDED = select(Decision.pair_id, Decision.kind).where(
    Decision.id.in_(
        select(func.max(Decision.id))
        .where(Decision.pair_id.in_(bindparam("pairs", expanding=True)))
        .group_by(Decision.pair_id)
    )
)
CHANGE = (
    update(Pair)
    .where(Pair.id == bindparam("of"))
    .values(
        votes=bindparam("new_votes"),
        skips=bindparam("new_skips"),
        open=bindparam("new_open"),
        queue=bindparam("new_queue"),
    )
)


def project_pair(connection: Connection, pair, said: Vote) -> None:
    """Bring the state of one pair up to date, after a label.

    Args:
        pair: Row with `COLUMNS`, read in this transaction before the label was written.
        said: The label.
    """
    votes = [said]
    if pair.votes or pair.skips:  # else it is the first
        rows = connection.execute(CURRENT_OF, {"pair": pair.id})
        votes = [vote_of(row.kind, row.winner_id, row.flagged) for row in rows]
    if change := _change(pair, votes, pair.queue == "decided"):
        connection.execute(CHANGE, change)


def vote_of(kind: str, winner_id: int | None, flagged: bool) -> Vote:
    """Make the vote of an answer."""
    return Vote(kind, kind if kind != "choose" or winner_id is None else winner_id, flagged)


def _project(connection: Connection, pairs: Sequence[int], ruled: bool) -> None:
    given = {"pairs": list(pairs)}
    votes: dict[int, list[Vote]] = defaultdict(list)
    for row in connection.execute(CURRENT, given):
        votes[row.pair_id].append(vote_of(row.kind, row.winner_id, row.flagged))
    decided = {}
    if ruled:
        decided = {row.pair_id: row.kind != REOPEN for row in connection.execute(DECIDED, given)}
    changes = []
    for row in connection.execute(PAIRS, given):
        stands = decided.get(row.id, False) if ruled else row.queue == "decided"
        if change := _change(row, votes[row.id], stands):
            changes.append(change)
    if changes:
        connection.execute(CHANGE, changes)


def _change(row, votes: Sequence[Vote], decided: bool) -> dict | None:
    """The parameters of `CHANGE`; None when the pair is in its state already."""
    settings, closed = stored(row.overlap, row.settings), row.gold or bool(row.origin)
    state = pair_state(votes, settings, decided=decided, closed=closed)
    if state == State(row.votes, row.skips, row.open, row.queue):
        return None
    return {
        "of": row.id,
        "new_votes": state.votes,
        "new_skips": state.skips,
        "new_open": state.open,
        "new_queue": state.queue,
    }
