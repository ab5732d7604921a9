"""Which decision and which known answer of a pair a page was shown, so that no lead replaces what
another one said without having seen it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from studio.annotation.database.team_tables import AuditEntry, Decision, Gold
from studio.annotation.labeling.projection import REOPEN
from studio.annotation.quality.gold import GOLD, NO_LONGER_GOLD
from studio.core.errors import ConflictError


@dataclass(frozen=True)
class Said:
    """The newest thing a lead said of a pair; number 0 where nobody said anything.

    Attributes:
        what: What it was, as the end of a sentence that begins with the lead.
    """

    number: int = 0
    lead: str = ""
    what: str = ""


class GoldConflict(ConflictError):
    """Another lead made the pair gold; `version` is what a page sends to change that knowingly."""

    def __init__(self, message: str, *, remedy: str, version: int) -> None:
        super().__init__(message, remedy=remedy)
        self.version = version


def newest_decision(connection: Connection, pair: int) -> Said:
    """Find the newest decision on a pair, also one that gave it back."""
    query = select(Decision.id, Decision.lead, Decision.kind).where(Decision.pair_id == pair)
    row = connection.execute(query.order_by(Decision.id.desc()).limit(1)).first()
    if row is None:
        return Said()
    what = "reopened this pair" if row.kind == REOPEN else "decided this pair"
    return Said(row.id, row.lead, what)


def newest_gold(connection: Connection, pair: int) -> Said:
    """Find the newest time that a pair was made gold, or an ordinary one again."""
    if connection.execute(select(Gold.pair_id).where(Gold.pair_id == pair)).first() is None:
        return Said()
    query = (
        select(AuditEntry.id, AuditEntry.who, AuditEntry.action)
        .where(AuditEntry.action.in_((GOLD, NO_LONGER_GOLD)))
        .where(AuditEntry.details["pair"].as_integer() == pair)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return Said()
    what = "made this pair gold" if row.action == GOLD else "made this pair an ordinary one again"
    return Said(row.id, row.who, what)


def ensure_decision_seen(connection: Connection, pair: int, lead: str, seen: int | None) -> None:
    """Refuse to decide for somebody who was not shown the newest decision.

    Args:
        seen: Its number as the page was sent it; None of a program that asks for no such check.

    Raises:
        ConflictError: There is a newer one.
    """
    _ensure_seen(newest_decision(connection, pair), lead, seen)


def ensure_gold_seen(connection: Connection, pair: int, lead: str, seen: int | None) -> None:
    """Refuse to replace a known right answer that the lead was not shown."""
    _ensure_seen(newest_gold(connection, pair), lead, seen)


def ensure_own_gold(connection: Connection, pair: int, lead: str, seen: int) -> None:
    """Refuse to change what another lead made gold, unless the page was told of it.

    Raises:
        GoldConflict: It carries what the page has to send to change it all the same.
    """
    newest = newest_gold(connection, pair)
    if newest.lead not in ("", lead) and newest.number != seen:
        raise GoldConflict(
            f"{newest.lead} {newest.what}: nothing was changed.",
            remedy="Press O again to change it all the same.",
            version=newest.number,
        )


def _ensure_seen(newest: Said, lead: str, seen: int | None) -> None:
    if seen is None or seen == newest.number:
        return
    whose = "You" if newest.lead == lead else newest.lead
    where = "elsewhere meanwhile" if newest.lead == lead else "meanwhile"
    raise ConflictError(
        f"{whose} {newest.what} {where}; yours was not saved.",
        remedy="Look at it, then press again if you still mean it.",
    )
