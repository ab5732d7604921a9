"""Rows that are here under the same id with another content: what differs, and what was decided.

Compared is what was imported last with what the source says now, and also with what a person made
of it in the library: a source that was corrected the same way says nothing new.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import Connection, select

from studio.annotation.database.search_text import prompt_from_json
from studio.annotation.database.tables import Candidate, Item, Pair
from studio.annotation.library.row_identity import (
    author_of,
    content_hash,
    fingerprint,
    text_hash,
)
from studio.core.quoted_text import SHOWN_TEXT
from studio.data.conversation import IMAGE_TAG
from studio.data.image_tags import tagged
from studio.data.schema import ACCEPTED, VERDICT, Answer, Message, Row

Decision = Literal["ask", "update", "keep", "new"]
DECISIONS: tuple[Decision, ...] = ("ask", "update", "keep", "new")
SHOWN = 300
QUESTION, IMAGES, REFERENCE = "question", "images", "reference answer"
CHOSEN, REJECTED, PREFERENCE = "chosen answer", "rejected answer", "preference"
NAMED_META = {VERDICT: "verdict", ACCEPTED: "accepted answers"}


@dataclass(frozen=True)
class Change:
    """One thing that is different: what, and the beginning of how it was and how it is now.

    Attributes:
        images: The pictures of the row as they were and as they are now, where these differ.
    """

    what: str
    before: str
    after: str
    images: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


@dataclass(frozen=True)
class ChangedRow:
    """A row whose id is here with another content.

    Attributes:
        brought_as: The id it was brought in under, with `new`.
    """

    external_id: str
    changes: tuple[Change, ...]
    brought_as: str = ""

    @property
    def what(self) -> tuple[str, ...]:
        """What is different, in words."""
        return tuple(change.what for change in self.changes)


@dataclass(frozen=True)
class KnownAnswer:
    """An answer that is here; `hashes` are those of its text as imported and as it is now."""

    id: int
    author: str
    hashes: tuple[str, ...]
    reference: bool
    batch: int


@dataclass(frozen=True)
class KnownPair:
    """A pair that is here with what the source preferred."""

    id: int
    first_id: int
    second_id: int
    choice: int | None
    batch: int

    @property
    def rejected(self) -> int | None:
        """The answer that the source did not prefer."""
        if self.choice is None:
            return None
        return self.second_id if self.choice == self.first_id else self.first_id


@dataclass
class KnownItem:
    """An item that is here."""

    id: int
    external_id: str
    fingerprint: str
    meta: dict[str, Any]
    revision: int
    batch: int
    answers: list[KnownAnswer] = field(default_factory=list)
    pairs: list[KnownPair] = field(default_factory=list)

    @property
    def reference(self) -> KnownAnswer | None:
        """The reference answer that is trained: the first."""
        return next((answer for answer in self.answers if answer.reference), None)

    def find(self, answer: Answer) -> KnownAnswer | None:
        """Find an answer by its author and text."""
        hashed, author = text_hash(answer.text), author_of(answer)
        same = (known for known in self.answers if known.author == author)
        return next((known for known in same if hashed in known.hashes), None)


@dataclass(frozen=True)
class Correction:
    """An answer that replaces another one of its item.

    Attributes:
        old: Id of the answer that was there.
        other: For a side of a preference, the id of the answer on the other side.
        preferred: The new answer is the better side.
        in_place: Nothing else of the row needs the old text.
    """

    item_id: int
    old: int
    answer: Answer
    what: str
    in_place: bool
    other: int | None = None

    @property
    def preferred(self) -> bool:
        """Whether it is the better side of its pair."""
        return self.what == CHOSEN


@dataclass
class Difference:
    """How a row differs from the item with its id.

    Attributes:
        metadata: The fields kept beside the row that are different.
        flipped: Pair whose other answer is preferred now: (first, second, choice).
    """

    content: bool = False
    corrections: list[Correction] = field(default_factory=list)
    flipped: tuple[int, int, int] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> tuple[str, ...]:
        """Fields beside the row that say which answers are right."""
        return tuple(words for name, words in NAMED_META.items() if name in self.metadata)

    @property
    def real(self) -> bool:
        """Whether it is more than metadata."""
        return bool(self.content or self.corrections or self.flipped or self.named)


def known_items(
    connection: Connection, dataset_id: int, ids: Sequence[str]
) -> dict[str, KnownItem]:
    """Read what is here under these ids, without texts that nobody edited."""
    query = select(
        Item.id, Item.external_id, Item.fingerprint, Item.meta, Item.revision, Item.batch
    ).where(Item.dataset_id == dataset_id, Item.external_id.in_(ids))
    found = {row.id: KnownItem(*row) for row in connection.execute(query)}
    if not found:
        return {}
    edited = [item.id for item in found.values() if item.revision]
    now = dict(_edited_texts(connection, edited)) if edited else {}
    answers = select(
        Candidate.id,
        Candidate.item_id,
        Candidate.author,
        Candidate.text_hash,
        Candidate.reference,
        Candidate.batch,
    ).where(Candidate.item_id.in_(found))
    for row in connection.execute(answers.order_by(Candidate.id)):
        hashes = (row.text_hash, *([text_hash(now[row.id])] if row.id in now else []))
        found[row.item_id].answers.append(
            KnownAnswer(row.id, row.author, hashes, row.reference, row.batch)
        )
    pairs = select(
        Pair.item_id, Pair.id, Pair.first_id, Pair.second_id, Pair.source_choice_id, Pair.batch
    ).where(Pair.item_id.in_(found), Pair.origin == "")
    for pair in connection.execute(pairs.order_by(Pair.id)):
        found[pair.item_id].pairs.append(
            KnownPair(pair.id, pair.first_id, pair.second_id, pair.source_choice_id, pair.batch)
        )
    return {item.external_id: item for item in found.values()}


def _edited_texts(connection: Connection, items: Sequence[int]) -> Iterator[tuple[int, str]]:
    query = select(Candidate.id, Candidate.text).where(Candidate.item_id.in_(items))
    yield from connection.execute(query).tuples()


def difference(connection: Connection, row: Row, item: KnownItem) -> Difference:
    """Compare a row with the item that has its id."""
    found = Difference(metadata=_metadata(row, item))
    if item.fingerprint != fingerprint(row):
        found.content = not _is_now(connection, row, item)
    if (correction := _reference(row, item)) is not None:
        found.corrections.append(correction)
    _preference(row, item, found)
    if row.labels:
        found.flipped = None  # somebody else's label, which comes as one
    return found


def _metadata(row: Row, item: KnownItem) -> dict[str, Any]:
    """Fields of the row with another value than here; what only is here is no difference."""
    if row.meta == item.meta:
        return {}
    meta = json.loads(json.dumps(row.meta))  # as the table gives it back
    return {name: value for name, value in meta.items() if item.meta.get(name, ...) != value}


def _is_now(connection: Connection, row: Row, item: KnownItem) -> bool:
    """Whether somebody made of the item in the library what the row says."""
    if not item.revision:
        return False
    now = connection.execute(select(Item.images, Item.prompt).where(Item.id == item.id)).one()
    return content_hash(now.images, now.prompt) == fingerprint(row)


def _reference(row: Row, item: KnownItem) -> Correction | None:
    """The reference answer of the row, when it is another one than the one that is trained."""
    standing = item.reference
    if row.completion is None or standing is None:
        return None
    hashed = text_hash(row.completion.text)
    if hashed in standing.hashes:
        return None
    # Several answers of one import are alternatives; one that came later corrects.
    others = (one for one in item.answers if one.reference and hashed in one.hashes)
    if any(other.batch == standing.batch for other in others):
        return None
    free = standing.author == author_of(row.completion) and not _uses(row, standing, REFERENCE)
    return Correction(item.id, standing.id, row.completion, REFERENCE, free)


def _preference(row: Row, item: KnownItem, found: Difference) -> None:
    """Look for the other preference, or for one side of it corrected."""
    if row.chosen is None or row.rejected is None:
        return
    chosen, rejected = item.find(row.chosen), item.find(row.rejected)
    if chosen and rejected:
        both = {chosen.id, rejected.id}
        for pair in item.pairs:
            if {pair.first_id, pair.second_id} == both and pair.choice == rejected.id:
                found.flipped = (pair.first_id, pair.second_id, chosen.id)
    elif (chosen is None) != (rejected is None):
        correction = _side(row, item, chosen, rejected)
        if correction is not None:
            found.corrections.append(correction)


def _side(
    row: Row, item: KnownItem, chosen: KnownAnswer | None, rejected: KnownAnswer | None
) -> Correction | None:
    """The side of the only preference here that the row gives in other words of the same author."""
    preferred = [pair for pair in item.pairs if pair.choice is not None]
    if len(preferred) != 1:
        return None
    (pair,) = preferred
    what = CHOSEN if chosen is None else REJECTED
    new = row.chosen if chosen is None else row.rejected
    old, other = (pair.choice, pair.rejected) if what == CHOSEN else (pair.rejected, pair.choice)
    same = rejected if chosen is None else chosen
    known = next((answer for answer in item.answers if answer.id == old), None)
    if new is None or known is None or same is None or same.id != other:
        return None
    if known.author != author_of(new):
        return None
    return Correction(item.id, known.id, new, what, not _uses(row, known, what), other)


def _uses(row: Row, answer: KnownAnswer, apart_from: str) -> bool:
    """Whether the row still gives this answer, in another place than the corrected one."""
    places = {REFERENCE: row.completion, CHOSEN: row.chosen, REJECTED: row.rejected}
    given = [one for name, one in places.items() if one and name != apart_from]
    given += row.candidates
    return any(
        author_of(one) == answer.author and text_hash(one.text) in answer.hashes for one in given
    )


def without_corrected(row: Row, found: Difference) -> Row:
    """The row without the answers that replace others: they appear with the rest of the import."""
    what = {correction.what for correction in found.corrections}
    if REFERENCE in what:
        row = replace(row, completion=None)
    if what & {CHOSEN, REJECTED}:
        row = replace(row, chosen=None, rejected=None)
    return row


def describe(connection: Connection, row: Row, item: KnownItem, found: Difference) -> ChangedRow:
    """Say what is different, with the beginnings of the texts."""
    changes: list[Change] = []
    if found.content:
        now = connection.execute(select(Item.images, Item.prompt).where(Item.id == item.id)).one()
        was = prompt_from_json(now.prompt)
        before, after = question_text(was), question_text(row.prompt)
        if before == after:  # perhaps the pictures stand in other places of it
            before, after = transcript(was), transcript(row.prompt)
        if before != after:
            changes.append(_change(QUESTION, before, after))
        pictures = (tuple(now.images), row.images)
        if pictures[0] != pictures[1] or before == after:
            told = _change(IMAGES, *map(_names, pictures))
            changes.append(replace(told, images=pictures))
    old = [correction.old for correction in found.corrections]
    both = list(found.flipped[:2]) if found.flipped else []
    texts = dict(
        connection.execute(
            select(Candidate.id, Candidate.text).where(Candidate.id.in_([*old, *both]))
        )
        .tuples()
        .all()
    )
    for correction in found.corrections:
        changes.append(_change(correction.what, texts[correction.old], correction.answer.text))
    if found.flipped:
        first, second, choice = found.flipped
        other = second if choice == first else first
        changes.append(_change(PREFERENCE, texts[other], texts[choice]))
    return ChangedRow(row.external_id, (*changes, *_beside(item, found)))


def describe_metadata(row: Row, item: KnownItem, found: Difference) -> ChangedRow:
    """Say which fields beside a row that is here as it is have another value."""
    return ChangedRow(row.external_id, _beside(item, found))


def _beside(item: KnownItem, found: Difference) -> tuple[Change, ...]:
    return tuple(
        _change(NAMED_META.get(name, name), _shown(item.meta.get(name, "")), _shown(value))
        for name, value in found.metadata.items()
    )


def question_text(prompt: Sequence[Message]) -> str:
    """Write a prompt as one text, without the images in front."""
    text = transcript(prompt)
    while text.startswith(IMAGE_TAG):
        text = text.removeprefix(IMAGE_TAG)
    return text


def transcript(prompt: Sequence[Message]) -> str:
    """Write a conversation as one text; a single turn as it is."""
    if len(prompt) == 1:
        return tagged(prompt[0])
    return "\n".join(f"{message.role}: {tagged(message)}" for message in prompt)


def _change(what: str, before: str, after: str) -> Change:
    """Cut both texts to a length that can be shown, so that the difference is seen."""
    start = 0
    if max(len(before), len(after)) > SHOWN_TEXT:
        same = next(
            (at for at, (one, two) in enumerate(zip(before, after, strict=False)) if one != two),
            min(len(before), len(after)),
        )
        start = max(0, same - SHOWN_TEXT // 3)
    return Change(what, _cut(before, start), _cut(after, start))


def _cut(text: str, start: int) -> str:
    shown = text[start : start + SHOWN]
    return f"{'…' if start else ''}{shown}{'…' if start + SHOWN < len(text) else ''}"


def _names(images: Sequence[str]) -> str:
    return ", ".join(f"{sha[:12]}…" for sha in images) or "none"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
