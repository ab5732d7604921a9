"""Rows into items, candidates and pairs, a chunk at a time; `staging` makes them appear."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from sqlalchemy import Connection, insert, select

from studio.annotation.database.search_text import longest, prompt_to_json, search_text
from studio.annotation.database.tables import Candidate, Item, Pair
from studio.core.errors import DataError
from studio.data.schema import Answer, Row

CHUNK = 200


@dataclass(frozen=True)
class ImportTarget:
    """Where rows go: a dataset, the batch they belong to, the split they come from."""

    dataset_id: int
    overlap: int
    batch: int
    split: str
    now: float


@dataclass
class Chunk:
    """What became of a chunk of rows.

    Attributes:
        extended: Ids of items that were there before and got a new answer or pair.
        choices: (first, second, the source's choice) of pairs there before without one.
    """

    added: int = 0
    unchanged: int = 0
    extended: set[int] = field(default_factory=set)
    choices: list[tuple[int, int, int]] = field(default_factory=list)


def check_name(name: str) -> str:
    """Check the name of a dataset, and strip it.

    Raises:
        DataError: It is empty, too long or has control characters.
    """
    cleaned = name.strip()
    if not cleaned or len(cleaned) > 200 or not cleaned.isprintable():
        raise DataError(
            f"{name[:60]!r} cannot be the name of a dataset.",
            remedy="Use 1 to 200 printable characters.",
            field="dataset",
        )
    return cleaned


def check_row(row: Row) -> None:
    """Refuse a row that the tables cannot hold."""
    if not row.external_id or len(row.external_id) > 500:
        raise DataError(
            f"The id {row.external_id[:60]!r} of a row is empty or longer than 500 characters.",
            remedy="Give every row a short id of its own.",
            field="external_id",
        )
    if (row.chosen is None) != (row.rejected is None):
        raise DataError(
            f"Row {row.external_id!r} has only one of chosen and rejected.",
            remedy="Give both, or the answers as candidates.",
            field="chosen" if row.chosen is None else "rejected",
        )


def fingerprint(row: Row) -> str:
    """Hash what an item is: its images and its prompt (sha256, hex)."""
    content = json.dumps([row.images, prompt_to_json(row.prompt)], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def write_chunk(connection: Connection, target: ImportTarget, rows: Sequence[Row]) -> Chunk:
    """Write checked rows with different ids; those already there are left as they are.

    Raises:
        DataError: An id is already taken in this dataset by another question or image.
    """
    known = _known_items(connection, target.dataset_id, rows)
    fresh = [row for row in rows if row.external_id not in known]
    ids = known | _add_items(connection, target, fresh)
    answers = _known_candidates(connection, list(known.values()))
    missing = _missing_candidates(rows, ids, answers, target)
    if missing:
        connection.execute(insert(Candidate), missing)
        answers |= _known_candidates(connection, list({one["item_id"] for one in missing}))
    chunk = Chunk()
    paired = _add_pairs(connection, target, rows, ids, answers, chunk)
    touched = {candidate["item_id"] for candidate in missing} | paired
    chunk.extended = touched.intersection(known.values())
    chunk.added = len(fresh)
    chunk.unchanged = len(rows) - len(fresh) - len(chunk.extended)
    return chunk


def _answers(row: Row) -> Iterator[tuple[Answer, bool]]:
    """Yield the answers of a row, each with whether it is the reference."""
    if row.completion is not None:
        yield row.completion, True
    yield from ((answer, False) for answer in (row.chosen, row.rejected, *row.candidates) if answer)


def _identity(item_id: int, answer: Answer) -> tuple[int, str, str]:
    return item_id, answer.author[:300], text_hash(answer.text)


def text_hash(text: str) -> str:
    """Hash a text (sha256, hex), by which texts are compared and found again."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def taken(external_id: str) -> DataError:
    """Make the refusal of an id that another row has."""
    return DataError(
        f"The id {external_id!r} already belongs to a different row of this dataset.",
        remedy="Give the row another id, or import into another dataset. Nothing was imported.",
        field="external_id",
    )


def _known_items(connection: Connection, dataset_id: int, rows: Sequence[Row]) -> dict[str, int]:
    wanted = {row.external_id: row for row in rows}
    query = select(Item.id, Item.external_id, Item.fingerprint).where(
        Item.dataset_id == dataset_id, Item.external_id.in_(wanted)
    )
    known = {}
    for item in connection.execute(query):
        if item.fingerprint != fingerprint(wanted[item.external_id]):
            raise taken(item.external_id)
        known[item.external_id] = item.id
    return known


def _add_items(connection: Connection, target: ImportTarget, rows: list[Row]) -> dict[str, int]:
    if not rows:
        return {}
    connection.execute(insert(Item), [_item(row, target) for row in rows])
    query = select(Item.external_id, Item.id).where(
        Item.dataset_id == target.dataset_id,
        Item.external_id.in_([row.external_id for row in rows]),
    )
    return dict(connection.execute(query).tuples().all())


def _item(row: Row, target: ImportTarget) -> dict:
    prompt = prompt_to_json(row.prompt)
    answers = [answer.text for answer, _ in _answers(row)]
    return {
        "dataset_id": target.dataset_id,
        "external_id": row.external_id,
        "prompt": prompt,
        "question": row.question,
        "images": list(row.images),
        "fingerprint": fingerprint(row),
        "meta": row.meta,
        "created_at": target.now,
        "batch": target.batch,
        "split": target.split[:100],
        "search": search_text(row.external_id, prompt, answers),
        "length": longest(answers),
        "flagged": False,
        "excluded": False,
        "revision": 0,
    }


def _known_candidates(connection: Connection, items: list[int]) -> dict[tuple[int, str, str], int]:
    query = select(Candidate.id, Candidate.item_id, Candidate.author, Candidate.text_hash).where(
        Candidate.item_id.in_(items)
    )
    return {(c.item_id, c.author, c.text_hash): c.id for c in connection.execute(query)}


def _missing_candidates(
    rows: Sequence[Row], items: dict[str, int], known: dict, target: ImportTarget
) -> list[dict]:
    missing: dict[tuple, dict] = {}
    for row in rows:
        for answer, reference in _answers(row):
            identity = _identity(items[row.external_id], answer)
            if identity in known or identity in missing:
                continue
            missing[identity] = {
                "item_id": identity[0],
                "author": identity[1],
                "text_hash": identity[2],
                "text": answer.text,
                "length": len(answer.text),
                "reference": reference,
                "created_at": target.now,
                "batch": target.batch,
            }
    return list(missing.values())


def _wanted_pairs(row: Row, item_id: int, ids: dict) -> Iterator[tuple[int, int, int | None]]:
    """(first, second, the source's choice) of a row, answers that say the same left out."""
    answers = list(combinations(row.candidates, 2))
    if row.chosen and row.rejected:
        answers.insert(0, (row.chosen, row.rejected))
    for left, right in answers:
        if left.text.strip() != right.text.strip():
            one, two = ids[_identity(item_id, left)], ids[_identity(item_id, right)]
            yield min(one, two), max(one, two), one if left is row.chosen else None


def _add_pairs(
    connection: Connection,
    target: ImportTarget,
    rows: Sequence[Row],
    items: dict[str, int],
    ids: dict,
    chunk: Chunk,
) -> set[int]:
    """Add the pairs that are not there; returns the items that got one or a choice."""
    query = select(Pair.first_id, Pair.second_id, Pair.source_choice_id).where(
        Pair.item_id.in_(list(items.values()))
    )
    known = {(p.first_id, p.second_id): p.source_choice_id for p in connection.execute(query)}
    hidden = _hidden(connection, list(items.values()))
    values, touched = {}, set()
    for row in rows:
        item_id = items[row.external_id]
        for first, second, choice in _wanted_pairs(row, item_id, ids):
            if (first, second) in known:
                if choice is not None and known[first, second] is None:
                    chunk.choices.append((first, second, choice))
                    touched.add(item_id)
            elif (first, second) not in values:
                touched.add(item_id)
                values[first, second] = _pair(target, item_id, (first, second, choice), hidden)
    if values:
        connection.execute(insert(Pair), list(values.values()))
    return touched


def _pair(
    target: ImportTarget, item_id: int, wanted: tuple[int, int, int | None], hidden: set[int]
) -> dict:
    return {
        "dataset_id": target.dataset_id,
        "item_id": item_id,
        "first_id": wanted[0],
        "second_id": wanted[1],
        "source_choice_id": wanted[2],
        "votes": 0,
        "open": target.overlap > 0,
        "created_at": target.now,
        "batch": target.batch,
        "hidden": item_id in hidden,
    }


def _hidden(connection: Connection, items: list[int]) -> set[int]:
    """Those of `items` that are excluded or in the bin."""
    query = select(Item.id).where(
        Item.id.in_(items), Item.excluded.is_(True) | Item.deleted_at.is_not(None)
    )
    return set(connection.execute(query).scalars())
