"""What people say of answers in the chat, kept in the library: votes as labelled pairs, verdicts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.annotation import AnnotationStore
from studio.annotation.records import ItemFilter, ItemView, LabelEvent, LabelKind, PairView, Verdict
from studio.core.errors import ConflictError, InputError
from studio.data.schema import VERDICT, Answer, Message, Row

VOTES, VERDICTS = "chat votes", "chat verdicts"
"""Datasets of the library where these go unless another is named."""
SOURCE = "chat"
NOT_BLIND = "The names of the models were shown."
PAGE = 200


@dataclass(frozen=True)
class ChatTurn:
    """A question of a chat with the answers to it.

    Attributes:
        row_id: The same for the same turn, whatever is said of it.
        prompt: The conversation up to the question.
        answers: Each with its author and how it was written.
        who: The person who says something of them.
        about: More that is kept with the row.
    """

    row_id: str
    images: tuple[str, ...]
    prompt: tuple[Message, ...]
    answers: tuple[Answer, ...]
    who: str
    about: Mapping[str, object] = field(default_factory=dict)


def keep_vote(
    store: AnnotationStore, dataset: str, turn: ChatTurn, best: int | None, *, blind: bool
) -> int:
    """Keep which answer of a turn somebody found best, as labels of its pairs in the library.

    Another vote on the same turn replaces the first: nothing is doubled.

    Args:
        best: Index of the answer in `turn.answers`; None: a tie of all.
        blind: The names were hidden.

    Returns:
        How many pairs have a label by it.

    Raises:
        InputError: The answers all say the same.
        ConflictError: The row was deleted from the library.
        DataError, RunFailedError: The database takes no more.
    """
    answers = [answer for answer in turn.answers if answer.text.strip()]
    texts = {answer.text for answer in answers}
    if len(texts) < 2:
        raise InputError(
            "The answers say the same: there is nothing to prefer.",
            remedy="Ask something else, or raise the temperature.",
        )
    row = Row(
        turn.row_id,
        turn.images,
        turn.prompt,
        candidates=tuple(answers),
        meta={**turn.about, "blind": blind},
    )
    item = _added(store, dataset or VOTES, row)
    texts_of = {candidate.id: candidate.text for candidate in item.candidates}
    chosen = turn.answers[best].text if best is not None else ""
    comment = "" if blind else NOT_BLIND
    labelled = 0
    for pair in item.pairs:
        winner = next((i for i in (pair.first_id, pair.second_id) if texts_of[i] == chosen), None)
        kind: LabelKind = "tie" if best is None else "choose" if winner else "skip"
        labelled += kind != "skip"
        _say(store, pair, turn.who, kind, winner, comment)
    return labelled


def keep_verdict(
    store: AnnotationStore, dataset: str, turn: ChatTurn, verdict: Verdict | None
) -> None:
    """Keep that somebody found a single answer good or bad; None takes it back.

    Raises:
        DataError, RunFailedError: The database takes no more.
    """
    name = dataset or VERDICTS
    for_other = "bad" if verdict == "good" else "good"
    _bin(store, name, f"{turn.row_id}-{for_other}")
    if verdict is None:
        _bin(store, name, f"{turn.row_id}-bad")
        return
    [answer] = turn.answers
    good = verdict == "good"
    row = Row(
        f"{turn.row_id}-{verdict}",
        turn.images,
        turn.prompt,
        completion=answer if good else None,
        candidates=() if good else (answer,),
        meta={**turn.about, VERDICT: verdict, "by": turn.who},
    )
    _added(store, name, row)


def _added(store: AnnotationStore, dataset: str, row: Row) -> ItemView:
    with store.importing(dataset, source=SOURCE, on_change="keep") as batch:
        batch.add_rows([row])
    item = _find(store, dataset, row.external_id, deleted=False)
    if item is not None:
        return item
    binned = _find(store, dataset, row.external_id, deleted=True)
    if binned is None:
        raise ConflictError(
            f"This turn cannot be found in the dataset {dataset!r}.",
            remedy="Somebody may have deleted the dataset just now; say it again.",
        )
    store.restore([binned.id])
    return store.item(binned.id)


def _bin(store: AnnotationStore, dataset: str, external_id: str) -> None:
    if any(view.name == dataset for view in store.datasets()):
        item = _find(store, dataset, external_id, deleted=False)
        if item is not None:
            store.delete([item.id])


def _find(
    store: AnnotationStore, dataset: str, external_id: str, *, deleted: bool
) -> ItemView | None:
    where = ItemFilter(dataset=dataset, search=external_id, deleted=deleted)
    found, _ = store.find(where, order="newest", limit=PAGE)
    return next((item for item in found if item.external_id == external_id), None)


def _say(
    store: AnnotationStore,
    pair: PairView,
    who: str,
    kind: LabelKind,
    winner: int | None,
    comment: str,
) -> None:
    card = store.card(pair.id, who)
    standing = card.current
    if kind == "skip" and standing is None:
        return  # a pair of two answers of which neither is the best: nothing was said of it
    if standing and (standing.kind, standing.winner_id) == (kind, winner):
        return
    store.save(
        LabelEvent(
            key=f"chat-{secrets.token_hex(16)}",
            pair_id=pair.id,
            annotator=who,
            kind=kind,
            winner_id=winner,
            expected_version=card.version,
            shown_left_id=pair.first_id,
            comment=comment,
        )
    )
