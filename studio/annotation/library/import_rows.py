"""Rows into items, candidates and pairs, a chunk at a time; `staging` makes them appear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from sqlalchemy import Connection, insert, select

from studio.annotation.database.search_text import longest, prompt_to_json, search_text
from studio.annotation.database.tables import Candidate, Item, Pair
from studio.annotation.library import changed_row_decisions
from studio.annotation.library.changed_row_decisions import Settled
from studio.annotation.library.row_differences import ChangedRow, Decision, KnownItem
from studio.annotation.library.row_identity import Identity, content_hash, identity, text_hash
from studio.annotation.library.row_updates import RowUpdates
from studio.core.errors import DataError
from studio.data.schema import Answer, Row

CHUNK = 200
TOLD = 1_000


@dataclass(frozen=True)
class ImportTarget:
    """Where rows go: a dataset, the batch they belong to, the split they come from.

    `on_change` is what happens to rows that are here with another content.
    """

    dataset_id: int
    overlap: int
    batch: int
    split: str
    now: float
    on_change: Decision = "ask"


@dataclass
class Chunk:
    """What became of a chunk of rows.

    Attributes:
        extended: Ids of items that were there before and got a new answer or pair.
        changed: Rows that are there with another content, as they are told.
        changed_count: How many there are; of them `brought` are written under another id.
        metadata: How many are there with other fields beside them; `beside` names these.
        updates: What publishing will change in items that are there.
        renamed: Ids that rows had in the source, by those they have here.
        left_out: Ids of changed rows of which nothing is written.
    """

    added: int = 0
    unchanged: int = 0
    extended: set[int] = field(default_factory=set)
    changed: list[ChangedRow] = field(default_factory=list)
    changed_count: int = 0
    brought: int = 0
    metadata: int = 0
    beside: list[ChangedRow] = field(default_factory=list)
    updates: RowUpdates = field(default_factory=RowUpdates)
    renamed: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)


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


def write_chunk(
    connection: Connection, target: ImportTarget, rows: Sequence[Row], told: int = TOLD
) -> Chunk:
    """Write checked rows with different ids; those already there are left as they are.

    What is there with another content is settled as `target.on_change` says; at most `told` such
    rows are described.
    """
    settled = changed_row_decisions.settle(
        connection, target.dataset_id, target.batch, target.on_change, rows, told
    )
    chunk = Chunk(
        changed=settled.changed,
        changed_count=settled.changed_count,
        brought=settled.brought,
        metadata=settled.metadata,
        beside=settled.beside,
        updates=settled.updates,
        renamed=settled.renamed,
        left_out=settled.left_out,
    )
    rows, known = settled.rows, settled.known
    fresh = [row for row in rows if row.external_id not in known]
    ids = {name: item.id for name, item in known.items()} | _add_items(connection, target, fresh)
    answers = _known_answers(rows, known)
    missing = _missing_candidates(rows, ids, answers, target)
    if missing:
        connection.execute(insert(Candidate), missing)
        answers |= _new_candidates(connection, target, missing)
    paired = _add_pairs(connection, target, settled, ids, answers)
    touched = {candidate["item_id"] for candidate in missing} | paired
    touched |= _give_references(settled, answers)
    updated = {known[name].id for name in settled.updated}
    chunk.extended = touched.intersection(item.id for item in known.values()) - updated
    chunk.added = len(fresh)
    chunk.unchanged = len(rows) - len(fresh) - len(chunk.extended) - len(updated)
    return chunk


def _answers(row: Row) -> Iterator[tuple[Answer, bool]]:
    """Yield the answers of a row, each with whether it is the reference."""
    if row.completion is not None:
        yield row.completion, True
    others = (row.chosen, row.rejected, *row.candidates, *row.alone)
    yield from ((answer, False) for answer in others if answer)


def taken(external_id: str) -> DataError:
    """Make the refusal of an id that another row has."""
    return DataError(
        f"The id {external_id!r} already belongs to a different row of this dataset.",
        remedy="Give the row another id, or import into another dataset. Nothing was imported.",
        field="external_id",
    )


def _known_answers(rows: Sequence[Row], known: Mapping[str, KnownItem]) -> dict[Identity, int]:
    """Answers that are here, by what they were imported as and by what they are now."""
    found: dict[Identity, int] = {}
    answers = [(item.id, answer) for item in known.values() for answer in item.answers]
    for place in (0, 1):  # what was imported comes before what others were edited into
        for number, answer in answers:
            for hashed in answer.hashes[place : place + 1]:
                found.setdefault((number, answer.author, hashed), answer.id)
    for row in rows:
        item = known.get(row.external_id)
        if item is None or row.completion is None or item.reference is None:
            continue
        if text_hash(row.completion.text) in item.reference.hashes:  # under whatever name
            found.setdefault(identity(item.id, row.completion), item.reference.id)
    return found


def _give_references(settled: Settled, answers: Mapping[Identity, int]) -> set[int]:
    """Note answers that were here and are the reference now; returns their items."""
    given = set()
    for row in settled.rows:
        item = settled.known.get(row.external_id)
        if item is None or row.completion is None or item.reference is not None:
            continue
        number = answers[identity(item.id, row.completion)]
        if any(answer.id == number for answer in item.answers):
            settled.updates.references.append(number)
            given.add(item.id)
    return given


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
        "fingerprint": content_hash(row.images, prompt),
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


def _new_candidates(
    connection: Connection, target: ImportTarget, added: Sequence[Mapping]
) -> dict[Identity, int]:
    items = {candidate["item_id"] for candidate in added}
    query = select(Candidate.id, Candidate.item_id, Candidate.author, Candidate.text_hash).where(
        Candidate.item_id.in_(items), Candidate.batch == target.batch
    )
    return {(c.item_id, c.author, c.text_hash): c.id for c in connection.execute(query)}


def _missing_candidates(
    rows: Sequence[Row], items: dict[str, int], known: dict, target: ImportTarget
) -> list[dict]:
    missing: dict[Identity, dict] = {}
    for row in rows:
        for answer, reference in _answers(row):
            key = identity(items[row.external_id], answer)
            if key in known or key in missing:
                continue
            missing[key] = {
                "item_id": key[0],
                "author": key[1],
                "text_hash": key[2],
                "text": answer.text,
                "length": len(answer.text),
                "tokens": answer.tokens,
                "decoding": None if answer.decoding is None else dict(answer.decoding),
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
            one, two = ids[identity(item_id, left)], ids[identity(item_id, right)]
            if one == two:  # one was edited into the other
                continue
            yield min(one, two), max(one, two), one if left is row.chosen else None


def _add_pairs(
    connection: Connection,
    target: ImportTarget,
    settled: Settled,
    items: dict[str, int],
    ids: dict[Identity, int],
) -> set[int]:
    """Add the pairs that are not there; returns the items that got one or a choice."""
    known = {
        (pair.first_id, pair.second_id): pair.choice
        for item in settled.known.values()
        for pair in item.pairs
    }
    hidden = _hidden(connection, [item.id for item in settled.known.values()])
    values, touched = {}, set()
    for row in settled.rows:
        item_id = items[row.external_id]
        for first, second, choice in _wanted_pairs(row, item_id, ids):
            if (first, second) in known:
                if choice is not None and known[first, second] is None:
                    settled.updates.choices.append((first, second, choice))
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
    if not items:
        return set()
    query = select(Item.id).where(
        Item.id.in_(items), Item.excluded.is_(True) | Item.deleted_at.is_not(None)
    )
    return set(connection.execute(query).scalars())
