"""Every answer as it was given, ties, skips, marks and comments too, for analysis elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from studio.annotation.database.tables import Annotator, CurrentLabel, Item, Label, Lease, Pair
from studio.annotation.labeling.pair_card import EDIT, FIRST, IDEAL, SECOND
from studio.annotation.labeling.project_settings import project
from studio.annotation.library.import_staging import unpublished
from studio.annotation.records import details_of


def answers(
    connection: Connection,
    dataset: str,
    annotators: Sequence[str] = (),
    *,
    excluded: bool = False,
) -> list[dict[str, Any]]:
    """List what each person says of each pair now, one record each, in the order of the pairs.

    `answers` of a record are the two candidates; `preferred`, `shown_left`, the aspects and the
    marks name them by their place there, 0 or 1. Characters of marks are counted in UTF-16, as
    browsers count them.

    `drawn` is there where the queue was ordered: `random` for a pair of its random share, `ranked`
    for one that a model chose.

    Args:
        annotators: Only theirs; nobody named: everybody's.
        excluded: Those on excluded rows and rows in the bin too.

    Raises:
        NotFoundError: There is no such dataset.
    """
    query = (
        select(
            Label,
            Annotator.name,
            Item.external_id,
            Item.images,
            Item.question,
            Pair.first_id,
            Pair.second_id,
            FIRST.text.label("first_text"),
            FIRST.author.label("first_author"),
            SECOND.text.label("second_text"),
            SECOND.author.label("second_author"),
            EDIT.text.label("edit"),
            IDEAL.text.label("ideal"),
            Lease.drawn,
        )
        .select_from(CurrentLabel)
        .join(Label, Label.id == CurrentLabel.label_id)
        .join(Annotator, Annotator.id == CurrentLabel.annotator_id)
        .join(Pair, Pair.id == CurrentLabel.pair_id)
        .join(Item, Item.id == Pair.item_id)
        .join(FIRST, FIRST.id == Pair.first_id)
        .join(SECOND, SECOND.id == Pair.second_id)
        .outerjoin(
            Lease, (Lease.pair_id == Pair.id) & (Lease.annotator_id == CurrentLabel.annotator_id)
        )
        .outerjoin(EDIT, EDIT.id == Label.edit_id)
        .outerjoin(IDEAL, IDEAL.id == Label.ideal_id)
        .where(Pair.dataset_id == project(connection, dataset).id)
        .where(Pair.batch.not_in(unpublished()))
        .order_by(Pair.id, Annotator.name)
    )
    if not excluded:
        query = query.where(Pair.hidden.is_(False))
    if annotators:
        query = query.where(Annotator.name.in_(annotators))
    return [_record(row) for row in connection.execute(query)]


def _record(row: Any) -> dict[str, Any]:
    texts = (row.first_text, row.second_text)
    places = {row.first_id: 0, row.second_id: 1}
    return {
        "pair": row.pair_id,
        "id": row.external_id,
        "images": list(row.images),
        "question": row.question,
        "answers": [
            {"text": texts[0], "author": row.first_author},
            {"text": texts[1], "author": row.second_author},
        ],
        "annotator": row.name,
        "kind": row.kind,
        "preferred": places.get(row.winner_id),
        "strength": row.strength,  # its place: the hash of an export is that of its records
        "aspects": {name: places.get(best, "both") for name, best in (row.aspects or {}).items()},
        "marks": [_mark(span, places, texts) for span in row.spans or ()],
        **details_of(row),
        "shown_left": places.get(row.shown_left_id),
        "seconds": None if row.elapsed_ms is None else row.elapsed_ms / 1000,
        "guideline": row.guideline,
        "authors_seen": row.informed,
        "at": datetime.fromtimestamp(row.created_at, UTC).isoformat(timespec="seconds"),
        # Only where there is one: the hash of an export is that of its records.
        **({"drawn": row.drawn} if row.drawn else {}),
    }


def _mark(span: dict[str, int], places: dict[int, int], texts: Sequence[str]) -> dict[str, Any]:
    number, start, end = places[span["candidate_id"]], span["start"], span["end"]
    units = texts[number].encode("utf-16-le", "surrogatepass")[2 * start : 2 * end]
    text = units.decode("utf-16-le", "surrogatepass")
    return {"answer": number, "start": start, "end": end, "text": text}
