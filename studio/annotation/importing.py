"""Rows into items, candidates and pairs: checked first, then written in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, islice

from sqlalchemy import Connection, insert, select, update

from studio.annotation.tables import Candidate, Dataset, Item, Pair
from studio.annotation.views import AddReport
from studio.data.schema import Answer, Message, Part, Row
from studio.errors import DataError

CHUNK = 400


class Batch:
    """Rows gathered by `AnnotationStore.importing`, written together when the block ends.

    `report` is filled in after that.
    """

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self.rows: list[Row] = []
        self.report = AddReport()

    def add(self, row: Row) -> None:
        check_row(row)
        self.rows.append(row)

    def add_rows(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.add(row)


def check_name(name: str) -> str:
    """A dataset name without surrounding blanks.

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


def prompt_to_json(prompt: Sequence[Message]) -> list[dict]:
    return [asdict(message) for message in prompt]


def prompt_from_json(stored: Sequence[dict]) -> tuple[Message, ...]:
    return tuple(
        Message(message["role"], tuple(Part(**part) for part in message["parts"]))
        for message in stored
    )


def fingerprint(row: Row) -> str:
    """sha256 of what an item is: its images and its prompt."""
    content = json.dumps([row.images, prompt_to_json(row.prompt)], ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def write_rows(connection: Connection, dataset: str, rows: Sequence[Row], now: float) -> AddReport:
    """Write checked rows; those already there are left as they are.

    Raises:
        DataError: An id is already taken in this dataset by another question or image.
    """
    dataset_id, overlap = _dataset(connection, dataset, now)
    added = unchanged = extended = 0
    for chunk in _chunks(_unique(rows)):
        known = _known_items(connection, dataset_id, chunk)
        fresh = [row for row in chunk if row.external_id not in known]
        known |= _add_items(connection, dataset_id, fresh, now)
        before = _known_candidates(connection, list(known.values()))
        missing = _missing_candidates(chunk, known, before, now)
        if missing:
            connection.execute(insert(Candidate), missing)
            before |= _known_candidates(connection, list({c["item_id"] for c in missing}))
        paired = _add_pairs(connection, dataset_id, overlap, chunk, known, before, now)
        touched = {candidate["item_id"] for candidate in missing} | paired
        fresh_ids = {known[row.external_id] for row in fresh}
        added += len(fresh)
        extended += len(touched - fresh_ids)
        unchanged += len(chunk) - len(fresh) - len(touched - fresh_ids)
    return AddReport(added, unchanged, extended)


@dataclass(frozen=True)
class _Proposed:
    answer: Answer
    reference: bool = False


def _answers(row: Row) -> Iterator[_Proposed]:
    if row.completion is not None:
        yield _Proposed(row.completion, reference=True)
    for answer in (row.chosen, row.rejected, *row.candidates):
        if answer is not None:
            yield _Proposed(answer)


def _identity(item_id: int, answer: Answer) -> tuple[int, str, str]:
    return item_id, answer.author[:300], _text_hash(answer.text)


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _unique(rows: Sequence[Row]) -> list[Row]:
    """Rows by id; the same id twice is the same row once, or an error."""
    seen: dict[str, Row] = {}
    for row in rows:
        earlier = seen.setdefault(row.external_id, row)
        if earlier is not row and earlier != row:
            raise _taken(row)
    return list(seen.values())


def _taken(row: Row) -> DataError:
    return DataError(
        f"The id {row.external_id!r} already belongs to a different row of this dataset.",
        remedy="Give the row another id, or import into another dataset. Nothing was imported.",
        field="external_id",
    )


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _dataset(connection: Connection, name: str, now: float) -> tuple[int, int]:
    query = select(Dataset.id, Dataset.overlap).where(Dataset.name == name)
    if found := connection.execute(query).first():
        return found.id, found.overlap
    connection.execute(insert(Dataset), {"name": name, "overlap": 1, "created_at": now})
    return connection.execute(query).one()._tuple()


def _known_items(connection: Connection, dataset_id: int, chunk: list[Row]) -> dict[str, int]:
    wanted = {row.external_id: row for row in chunk}
    query = select(Item.id, Item.external_id, Item.fingerprint).where(
        Item.dataset_id == dataset_id, Item.external_id.in_(wanted)
    )
    known = {}
    for item in connection.execute(query):
        if item.fingerprint != fingerprint(wanted[item.external_id]):
            raise _taken(wanted[item.external_id])
        known[item.external_id] = item.id
    return known


def _add_items(
    connection: Connection, dataset_id: int, rows: list[Row], now: float
) -> dict[str, int]:
    if not rows:
        return {}
    values = [
        {
            "dataset_id": dataset_id,
            "external_id": row.external_id,
            "prompt": prompt_to_json(row.prompt),
            "question": row.question,
            "images": list(row.images),
            "fingerprint": fingerprint(row),
            "meta": row.meta,
            "created_at": now,
        }
        for row in rows
    ]
    connection.execute(insert(Item), values)
    return _known_items(connection, dataset_id, rows)


def _known_candidates(connection: Connection, items: list[int]) -> dict[tuple[int, str, str], int]:
    query = select(Candidate.id, Candidate.item_id, Candidate.author, Candidate.text_hash).where(
        Candidate.item_id.in_(items)
    )
    return {(c.item_id, c.author, c.text_hash): c.id for c in connection.execute(query)}


def _missing_candidates(
    chunk: list[Row], items: dict[str, int], known: dict, now: float
) -> list[dict]:
    missing: dict[tuple, dict] = {}
    for row in chunk:
        for proposed in _answers(row):
            identity = _identity(items[row.external_id], proposed.answer)
            if identity in known or identity in missing:
                continue
            missing[identity] = {
                "item_id": identity[0],
                "author": identity[1],
                "text_hash": identity[2],
                "text": proposed.answer.text,
                "length": len(proposed.answer.text),
                "reference": proposed.reference,
                "created_at": now,
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
    dataset_id: int,
    overlap: int,
    chunk: list[Row],
    items: dict[str, int],
    ids: dict,
    now: float,
) -> set[int]:
    """Add the pairs that are not there; returns the items that got one."""
    query = select(Pair.first_id, Pair.second_id, Pair.source_choice_id).where(
        Pair.item_id.in_(list(items.values()))
    )
    known = {(p.first_id, p.second_id): p.source_choice_id for p in connection.execute(query)}
    values, touched = {}, set()
    for row in chunk:
        item_id = items[row.external_id]
        for first, second, choice in _wanted_pairs(row, item_id, ids):
            if (first, second) in known:
                if choice is not None and known[first, second] is None:
                    _add_source_choice(connection, first, second, choice)
                    touched.add(item_id)
                continue
            if (first, second) in values:
                continue
            touched.add(item_id)
            values[first, second] = {
                "dataset_id": dataset_id,
                "item_id": item_id,
                "first_id": first,
                "second_id": second,
                "source_choice_id": choice,
                "votes": 0,
                "open": overlap > 0,
                "created_at": now,
            }
    if values:
        connection.execute(insert(Pair), list(values.values()))
    return touched


def _add_source_choice(connection: Connection, first: int, second: int, choice: int) -> None:
    connection.execute(
        update(Pair)
        .where(Pair.first_id == first, Pair.second_id == second)
        .values(source_choice_id=choice)
    )
