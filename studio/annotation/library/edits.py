"""Texts changed in place, each change kept. Labels and pairs keep pointing at the same answer."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from studio.annotation.database.search_text import prompt_from_json, prompt_to_json
from studio.annotation.database.tables import Candidate, Item, TextEdit
from studio.annotation.library.import_staging import refresh_search
from studio.annotation.records import EditView, TextChange
from studio.core.errors import ConflictError, DataError, InputError, NotFoundError
from studio.data.conversation import IMAGE_TAG, check_text
from studio.data.schema import Message, Part


def edit(connection: Connection, change: TextChange, now: float) -> bool:
    """Apply one change; False when the text is that already.

    Raises:
        ConflictError: The row has been edited since `change.revision`.
        InputError: The text cannot stand there.
        NotFoundError: There is no such row or answer.
    """
    item = _item(connection, change)
    of_answer = change.candidate_id is not None
    text = _checked(change.text, "answer" if of_answer else "question")
    if of_answer:
        before = _edit_answer(connection, change, text)
    else:
        before = _edit_question(connection, change, text, prompt_from_json(item.prompt))
    if before == text:
        return False
    connection.execute(
        insert(TextEdit).values(
            item_id=change.item_id,
            candidate_id=change.candidate_id,
            editor=change.editor[:200],
            before=before,
            after=text,
            created_at=now,
        )
    )
    connection.execute(
        update(Item).where(Item.id == change.item_id).values(revision=Item.revision + 1)
    )
    refresh_search(connection, [change.item_id])
    return True


def edits(connection: Connection, item_id: int) -> list[EditView]:
    """List past changes of an item's texts, newest first."""
    query = select(TextEdit.__table__).where(TextEdit.item_id == item_id)
    return [
        EditView(row.candidate_id, row.editor, row.before, row.after, row.created_at)
        for row in connection.execute(query.order_by(TextEdit.id.desc()))
    ]


def editable_question(prompt: Sequence[Message]) -> str:
    """Write the last user turn as one text, with `<image>` for each image between the words."""
    _, inner = _last_user(prompt)
    return "".join(IMAGE_TAG if part.type == "image" else part.text for part in inner)


def _item(connection: Connection, change: TextChange):
    query = select(Item.prompt, Item.revision).where(Item.id == change.item_id)
    row = connection.execute(query).first()
    if row is None:
        raise NotFoundError(f"There is no item {change.item_id}.", remedy="Reload the list.")
    if row.revision != change.revision:
        raise ConflictError(
            "Somebody edited this row in the meantime.",
            remedy="Copy your text, open the row again, and edit it there.",
        )
    return row


def _checked(text: str, field: str) -> str:
    try:
        check_text(text, field)
    except DataError as error:
        raise InputError(error.message, field=field) from error
    if not text.strip():
        raise InputError(f"The {field} would be empty.", remedy="Write something.", field=field)
    return text


def _edit_answer(connection: Connection, change: TextChange, text: str) -> str:
    of_answer = (Candidate.id == change.candidate_id, Candidate.item_id == change.item_id)
    before = connection.execute(select(Candidate.text).where(*of_answer)).scalar()
    if before is None:
        raise NotFoundError(f"There is no answer {change.candidate_id}.", remedy="Reload the row.")
    if text != before:
        connection.execute(update(Candidate).where(*of_answer).values(text=text, length=len(text)))
    return before


def _edit_question(
    connection: Connection, change: TextChange, text: str, prompt: Sequence[Message]
) -> str:
    before = editable_question(prompt)
    if text != before:
        number, inner = _last_user(prompt)
        parts = prompt[number].parts
        turn = Message("user", (*parts[: len(parts) - len(inner)], *_parts(text, inner)))
        changed = (*prompt[:number], turn, *prompt[number + 1 :])
        values = {"prompt": prompt_to_json(changed), "question": turn.text}
        connection.execute(update(Item).where(Item.id == change.item_id).values(**values))
    return before


def _last_user(prompt: Sequence[Message]) -> tuple[int, tuple[Part, ...]]:
    """Its place, and its parts after the images in front."""
    number = max(number for number, message in enumerate(prompt) if message.role == "user")
    parts = prompt[number].parts
    first = next((i for i, part in enumerate(parts) if part.type == "text"), len(parts))
    return number, parts[first:]


def _parts(text: str, old: Sequence[Part]) -> tuple[Part, ...]:
    """The new text with the images of the old parts. Raises InputError when they do not fit."""
    places = sum(part.type == "image" for part in old)
    if not places:
        return (Part("text", text),)
    pieces = text.split(IMAGE_TAG)
    if len(pieces) != places + 1:
        raise InputError(
            f"There must be {places} {IMAGE_TAG} in the question, there are {len(pieces) - 1}.",
            remedy="Keep one for each image between the words.",
            field="question",
        )
    parts: list[Part] = []
    for number, piece in enumerate(pieces):
        parts += [Part("image")] if number else []
        parts += [Part("text", piece)] if piece else []
    return tuple(parts)
