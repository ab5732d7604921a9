"""A lead says what the right answer to a pair is, or that the pair is an ordinary one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from studio.annotation.database.tables import Dataset, Pair
from studio.annotation.database.team_tables import Gold
from studio.annotation.labeling import answer_permission, pair_card
from studio.annotation.labeling.answer_validation import ensure_text_fits
from studio.annotation.labeling.projection import project_pairs
from studio.annotation.quality import adjudication, audit_log, decision_conflicts
from studio.annotation.quality.gold import GOLD, NO_LONGER_GOLD
from studio.annotation.records import VOTES
from studio.core.errors import InputError, NotFoundError

LONGEST_EXPLANATION = 2_000


def set_gold(
    connection: Connection,
    lead: str,
    pair_id: int,
    answer: tuple[str, int | None],
    explanation: str,
    now: float,
) -> None:
    """Make a pair gold, or change what its right answer is.

    Args:
        answer: Kind, winner.

    Raises:
        InputError, NotFoundError: The answer does not fit the pair.
    """
    pair = _pair(connection, pair_id)
    kind, winner_id = answer
    fits = (kind == "choose") == (winner_id in (pair.first_id, pair.second_id))
    if kind not in VOTES or not fits:
        raise InputError(
            "The right answer must be one to this pair.", remedy="Reload the page.", field="kind"
        )
    ensure_text_fits(explanation, "explanation")
    values: dict[str, Any] = {"kind": kind, "winner_id": winner_id, "active": True}
    values["explanation"] = explanation[:LONGEST_EXPLANATION]
    same = Gold.pair_id == pair_id
    if not connection.execute(update(Gold).where(same).values(**values)).rowcount:
        values |= {"dataset_id": pair.dataset_id, "created_at": now}
        connection.execute(insert(Gold).values(pair_id=pair_id, **values))
    _mark(connection, lead, pair, True, {"pair": pair_id, "kind": kind}, now)


def unset_gold(connection: Connection, lead: str, pair_id: int, now: float) -> None:
    """Make a gold pair an ordinary one; what was answered stays."""
    pair = _pair(connection, pair_id)
    change = update(Gold).where(Gold.pair_id == pair_id).values(active=False)
    if connection.execute(change).rowcount:
        _mark(connection, lead, pair, False, {"pair": pair_id}, now)


def toggle_gold(connection: Connection, lead: str, handle: int, seen: int, now: float) -> bool:
    """Make the answer that `lead` gave to a pair the known right one; the same again ends it.

    Args:
        handle: The pair as the lead's page knows it.
        seen: What the page was told of another lead's gold (`GoldConflict.version`); 0 of nothing.

    Returns:
        Whether the pair is gold now.

    Raises:
        InputError: The lead has not judged the pair.
        NotFoundError: The lead was never given it.
        GoldConflict: Another lead said what is right, and the page was not told.
    """
    pair, repeat = answer_permission.own_showing(connection, handle, lead)
    given = pair_card.card(connection, pair, lead, repeat).current
    if given is None or given.kind not in VOTES:
        raise InputError(
            "You have not judged this pair.", remedy="Answer it first.", field="pair_id"
        )
    decision_conflicts.ensure_own_gold(connection, pair, lead, seen)
    answer = (given.kind, given.winner_id)
    if adjudication.gold_of(connection, pair) == answer:
        unset_gold(connection, lead, pair, now)
        return False
    set_gold(connection, lead, pair, answer, given.comment[:LONGEST_EXPLANATION], now)
    return True


def _mark(
    connection: Connection, lead: str, pair: Row, gold: bool, details: dict, now: float
) -> None:
    connection.execute(update(Pair).where(Pair.id == pair.id).values(gold=gold))
    project_pairs(connection, [pair.id])
    action = GOLD if gold else NO_LONGER_GOLD
    audit_log.note(connection, lead, action, pair.dataset, details, now)


def _pair(connection: Connection, pair_id: int) -> Row:
    query = (
        select(
            Pair.id, Pair.dataset_id, Pair.first_id, Pair.second_id, Dataset.name.label("dataset")
        )
        .join(Dataset, Dataset.id == Pair.dataset_id)
        .where(Pair.id == pair_id, Pair.origin == "")
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotFoundError(f"There is no pair {pair_id} to label.", remedy="Reload the page.")
    return row
