"""A mark of everything that training on a dataset depends on; no text is read for it.

Rows come with batches, texts change with edits, judgements with labels and decisions: all of these
are only ever added, so that the newest, with its time, stands for all before it. What can be switched on and off
(excluded, flagged, in the bin, tags, gold) is taken in full.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from sqlalchemy import Connection, Select, or_, select

from studio.annotation.database.tables import (
    Dataset,
    ImportBatch,
    Item,
    ItemTag,
    Label,
    Pair,
    TextEdit,
)
from studio.annotation.database.team_tables import Decision, Gold
from studio.annotation.library.import_staging import STAGING


def trainable_state(connection: Connection, dataset: str) -> str:
    """Hash everything that training on `dataset` depends on (hex); every change gives another hash.

    The same hash twice means the same rows from `trainable_rows`, whatever the filter. Empty when
    there is no such dataset.
    """
    query = select(Dataset.id).where(Dataset.name == dataset)
    number = connection.execute(query).scalar()
    if number is None:
        return ""
    digest = hashlib.sha256(str(number).encode())
    for asked in _asked(number):
        rows = [list(row) for row in connection.execute(asked)]
        digest.update(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _asked(dataset: int) -> Iterator[Select]:
    yield (
        select(ImportBatch.id, ImportBatch.state, ImportBatch.source, ImportBatch.created_at)
        .where(ImportBatch.dataset_id == dataset, ImportBatch.state != STAGING)
        .order_by(ImportBatch.id)
    )
    marks = (Item.excluded, Item.flagged, Item.deleted_at)
    marked = or_(Item.excluded.is_(True), Item.flagged.is_(True), Item.deleted_at.is_not(None))
    yield select(Item.id, *marks).where(Item.dataset_id == dataset, marked).order_by(Item.id)
    tags = select(ItemTag.item_id, ItemTag.tag).join(Item, Item.id == ItemTag.item_id)
    yield tags.where(Item.dataset_id == dataset).order_by(ItemTag.item_id, ItemTag.tag)
    edits = select(TextEdit.id, TextEdit.created_at).join(Item, Item.id == TextEdit.item_id)
    yield edits.where(Item.dataset_id == dataset).order_by(TextEdit.id.desc()).limit(1)
    for event in (Label, Decision):
        newest = select(event.id, event.created_at).join(Pair, Pair.id == event.pair_id)
        yield newest.where(Pair.dataset_id == dataset).order_by(event.id.desc()).limit(1)
    gold = select(Gold.pair_id, Gold.kind, Gold.winner_id, Gold.active)
    yield gold.where(Gold.dataset_id == dataset).order_by(Gold.pair_id)
