"""Marks on items: flagged, excluded, tagged, in the bin."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from studio.annotation.database.tables import Item, ItemTag, Pair
from studio.core.errors import InputError

MAX_TAG = 60


def mark(connection: Connection, ids: Sequence[int], **marks: bool) -> int:
    """Set `flagged` or `excluded` of items; returns how many there are."""
    changed = connection.execute(update(Item).where(Item.id.in_(ids)).values(**marks)).rowcount
    if "excluded" in marks:
        _hide(connection, ids)
    return changed


def bin_items(connection: Connection, ids: Sequence[int], when: float | None) -> int:
    """Put items into the bin (`when` seconds since the epoch) or take them out (None)."""
    there = Item.deleted_at.is_not(None) if when is None else Item.deleted_at.is_(None)
    changed = connection.execute(
        update(Item).where(Item.id.in_(ids), there).values(deleted_at=when)
    ).rowcount
    _hide(connection, ids)
    return changed


def _hide(connection: Connection, ids: Sequence[int]) -> None:
    """Keep the pairs of excluded and deleted items from the annotators."""
    hidden = (
        select(Item.excluded | Item.deleted_at.is_not(None))
        .where(Item.id == Pair.item_id)
        .scalar_subquery()
    )
    connection.execute(update(Pair).where(Pair.item_id.in_(ids)).values(hidden=hidden))


def check_tag(tag: str) -> str:
    """Check a tag, and strip it. Raises InputError."""
    cleaned = " ".join(tag.split())
    if not cleaned or len(cleaned) > MAX_TAG or not cleaned.isprintable():
        raise InputError(
            f"{tag[:60]!r} cannot be a tag.",
            remedy=f"Use 1 to {MAX_TAG} printable characters.",
            field="tag",
        )
    return cleaned


def add_tag(connection: Connection, ids: Sequence[int], tag: str) -> int:
    """Put a tag on those of `ids` that do not have it."""
    have = select(ItemTag.item_id).where(ItemTag.tag == tag, ItemTag.item_id.in_(ids))
    known = set(connection.execute(have).scalars())
    there = connection.execute(select(Item.id).where(Item.id.in_(ids))).scalars()
    values = [{"item_id": number, "tag": tag} for number in there if number not in known]
    if values:
        connection.execute(insert(ItemTag), values)
    return len(values)


def remove_tag(connection: Connection, ids: Sequence[int], tag: str) -> int:
    """Take a tag off items; returns how many had it."""
    gone = delete(ItemTag).where(ItemTag.tag == tag, ItemTag.item_id.in_(ids))
    return connection.execute(gone).rowcount
