"""Changes to items that are here, planned while rows come in and made when they are published.

What somebody may have judged is not rewritten: an answer in a pair that was handed out, labelled,
decided or is gold stays as it was, and the new answer is put beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from studio.annotation.database.search_text import prompt_from_json, prompt_to_json
from studio.annotation.database.tables import Candidate, Item, Label, Lease, Pair, TextEdit
from studio.annotation.database.team_tables import Decision as LeadDecision
from studio.annotation.database.team_tables import Gold
from studio.annotation.library.row_differences import (
    REFERENCE,
    Correction,
    Difference,
    KnownItem,
    question_text,
)
from studio.annotation.library.row_identity import author_of, fingerprint, text_hash
from studio.data.schema import VERDICT, Row

CHUNK = 500


@dataclass(frozen=True)
class Publication:
    """Into which dataset changes are published, by which import, from where and when."""

    dataset_id: int
    overlap: int
    batch: int
    editor: str
    now: float


@dataclass
class RowUpdates:
    """What an import changes in items that are here.

    Attributes:
        contents: Items with another question or other images.
        meta: By item, all fields kept beside it.
        choices: (first, second, preferred answer) of pairs.
        references: Answers that were here and are the reference answer now.
        rejected: Items whose answers are no reference any more.
    """

    contents: dict[int, Row] = field(default_factory=dict)
    meta: dict[int, dict[str, Any]] = field(default_factory=dict)
    corrections: list[Correction] = field(default_factory=list)
    choices: list[tuple[int, int, int]] = field(default_factory=list)
    references: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)

    def set_meta(self, item: KnownItem, changed: dict[str, Any]) -> None:
        """Lay changed fields over those that are kept beside an item."""
        self.meta[item.id] = self.meta.get(item.id, item.meta) | changed

    def plan(self, row: Row, item: KnownItem, found: Difference) -> None:
        """Note everything in which a row differs from the item."""
        if found.content:
            self.contents[item.id] = row
        if found.metadata:
            self.set_meta(item, found.metadata)
        if row.meta.get(VERDICT) == "bad" and row.completion is None:
            self.rejected.append(item.id)
        self.corrections += found.corrections
        if found.flipped:
            self.choices.append(found.flipped)

    def add(self, others: RowUpdates) -> None:
        """Take over what others plan."""
        self.contents |= others.contents
        self.meta |= others.meta
        self.corrections += others.corrections
        self.choices += others.choices
        self.references += others.references
        self.rejected += others.rejected

    @property
    def items(self) -> set[int]:
        """The items whose texts change."""
        return set(self.contents) | {correction.item_id for correction in self.corrections}


def apply(connection: Connection, updates: RowUpdates, to: Publication) -> int:
    """Make all planned changes; returns how many changed items people had been given to label.

    Those whose question or images changed are flagged: their labels are about what was before.
    """
    _set_choices(connection, updates.choices)
    for some in _chunks(updates.rejected):
        of_items = update(Candidate).where(Candidate.item_id.in_(some))
        connection.execute(of_items.values(reference=False))
    for some in _chunks(updates.references):
        connection.execute(update(Candidate).where(Candidate.id.in_(some)).values(reference=True))
    _set_meta(connection, updates.meta)
    for some in _chunks(updates.corrections):
        _correct(connection, some, to)
    _change_contents(connection, updates.contents, to)
    judged = 0
    for some in _chunks(sorted(updates.items)):
        judged += len(judged_items(connection, some))
    return judged


def judged_items(connection: Connection, items: Sequence[int]) -> set[int]:
    """Find those of `items` of which a pair was handed out, labelled, decided or is gold."""
    query = select(Pair.item_id).where(Pair.item_id.in_(items), _judged()).distinct()
    return set(connection.execute(query).scalars())


def _judged():
    """Whether somebody may have seen a pair."""
    return or_(
        Pair.gold.is_(True),
        *(
            select(table.pair_id).where(table.pair_id == Pair.id).exists()
            for table in (Lease, Label, LeadDecision, Gold)
        ),
    )


def _set_choices(connection: Connection, choices: Sequence[tuple[int, int, int]]) -> None:
    if choices:
        change = update(Pair).where(
            Pair.first_id == bindparam("one"), Pair.second_id == bindparam("two")
        )
        connection.execute(
            change.values(source_choice_id=bindparam("to")),
            [{"one": first, "two": second, "to": choice} for first, second, choice in choices],
        )


def _set_meta(connection: Connection, meta: dict[int, dict[str, Any]]) -> None:
    if meta:
        change = update(Item).where(Item.id == bindparam("of"))
        connection.execute(
            change.values(meta=bindparam("to")),
            [{"of": item, "to": values} for item, values in meta.items()],
        )


def _change_contents(connection: Connection, contents: dict[int, Row], to: Publication) -> None:
    change = update(Item).where(Item.id == bindparam("of"))
    change = change.values(
        prompt=bindparam("new_prompt"),
        question=bindparam("new_question"),
        images=bindparam("new_images"),
        fingerprint=bindparam("new_fingerprint"),
        revision=Item.revision + 1,
    )
    for some in _chunks(sorted(contents)):
        before = select(Item.id, Item.prompt).where(Item.id.in_(some))
        old = {item: question_text(prompt_from_json(prompt)) for item, prompt in
               connection.execute(before).tuples()}  # fmt: skip
        edits = [
            _edit(to, item, None, old[item], question_text(contents[item].prompt))
            for item in some
            if item in old
        ]
        _keep_edits(connection, edits)
        values = [(item, contents[item]) for item in some if item in old]
        connection.execute(
            change,
            [
                {
                    "of": item,
                    "new_prompt": prompt_to_json(row.prompt),
                    "new_question": row.question,
                    "new_images": list(row.images),
                    "new_fingerprint": fingerprint(row),
                }
                for item, row in values
            ],
        )
        judged = judged_items(connection, some)
        if judged:
            connection.execute(update(Item).where(Item.id.in_(judged)).values(flagged=True))


def _correct(connection: Connection, corrections: Sequence[Correction], to: Publication) -> None:
    """Replace answers that nobody may have judged; put the others' corrections beside them."""
    old = {correction.old for correction in corrections}
    texts = dict(
        connection.execute(select(Candidate.id, Candidate.text).where(Candidate.id.in_(old)))
        .tuples()
        .all()
    )
    in_judged = _in_judged_pairs(connection, old)
    known = _identities(connection, {correction.item_id for correction in corrections})
    edits, replaced = [], []
    for one in corrections:
        key = (one.item_id, author_of(one.answer), text_hash(one.answer.text))
        number = one.old
        if one.in_place and one.old not in in_judged and key not in known:
            replaced.append({"of": one.old, "new_text": one.answer.text, "new_hash": key[2]})
        else:
            number = known.get(key) or _add_answer(connection, key, one.answer.text, to)
            _stand_for(connection, one, number, to)
        known[key] = number
        edits.append(_edit(to, one.item_id, number, texts[one.old], one.answer.text))
    _replace_texts(connection, replaced)
    _keep_edits(connection, edits)
    items = {correction.item_id for correction in corrections}
    counted = update(Item).where(Item.id.in_(items)).values(revision=Item.revision + 1)
    connection.execute(counted)


def _replace_texts(connection: Connection, replaced: Sequence[dict[str, Any]]) -> None:
    if replaced:
        change = update(Candidate).where(Candidate.id == bindparam("of"))
        change = change.values(
            text=bindparam("new_text"),
            text_hash=bindparam("new_hash"),
            length=bindparam("new_length"),
        )
        values = [{**one, "new_length": len(one["new_text"])} for one in replaced]
        connection.execute(change, values)


def _in_judged_pairs(connection: Connection, answers: Iterable[int]) -> set[int]:
    of_answers = or_(Pair.first_id.in_(answers), Pair.second_id.in_(answers))
    query = select(Pair.first_id, Pair.second_id).where(of_answers, _judged())
    return {answer for pair in connection.execute(query) for answer in pair}


def _identities(connection: Connection, items: Iterable[int]) -> dict[tuple[int, str, str], int]:
    query = select(Candidate.id, Candidate.item_id, Candidate.author, Candidate.text_hash)
    rows = connection.execute(query.where(Candidate.item_id.in_(items)))
    return {(row.item_id, row.author, row.text_hash): row.id for row in rows}


def _add_answer(
    connection: Connection, key: tuple[int, str, str], text: str, to: Publication
) -> int:
    added = connection.execute(
        insert(Candidate).values(
            item_id=key[0],
            author=key[1],
            text_hash=key[2],
            text=text,
            length=len(text),
            reference=False,
            created_at=to.now,
            batch=to.batch,
        )
    )
    (number,) = added.inserted_primary_key or (0,)
    return number


def _stand_for(connection: Connection, one: Correction, number: int, to: Publication) -> None:
    """Give another answer the place of the old one: as the reference, or in the preference."""
    if one.what == REFERENCE:
        of_item = update(Candidate).where(Candidate.item_id == one.item_id)
        connection.execute(of_item.values(reference=Candidate.id == number))
        return
    if one.other is None or one.other == number:
        return
    first, second = sorted((one.old, one.other))
    labelled = select(Label.pair_id).where(Label.pair_id == Pair.id).exists()
    old = update(Pair).where(Pair.first_id == first, Pair.second_id == second, ~labelled)
    connection.execute(old.values(source_choice_id=None))
    first, second = sorted((number, one.other))
    choice = number if one.preferred else one.other
    same = (Pair.first_id == first, Pair.second_id == second)
    if connection.execute(select(Pair.id).where(*same)).first():
        connection.execute(update(Pair).where(*same).values(source_choice_id=choice))
        return
    shown = select(Item.excluded, Item.deleted_at).where(Item.id == one.item_id)
    item = connection.execute(shown).one()
    connection.execute(
        insert(Pair).values(
            dataset_id=to.dataset_id,
            item_id=one.item_id,
            first_id=first,
            second_id=second,
            source_choice_id=choice,
            votes=0,
            open=to.overlap > 0,
            created_at=to.now,
            batch=to.batch,
            hidden=item.excluded or item.deleted_at is not None,
        )
    )


def _edit(
    to: Publication, item: int, candidate: int | None, before: str, after: str
) -> dict[str, Any]:
    return {
        "item_id": item,
        "candidate_id": candidate,
        "editor": to.editor,
        "before": before,
        "after": after,
        "created_at": to.now,
    }


def _keep_edits(connection: Connection, edits: Iterable[dict[str, Any]]) -> None:
    different = [edit for edit in edits if edit["before"] != edit["after"]]
    if different:
        connection.execute(insert(TextEdit), different)


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
