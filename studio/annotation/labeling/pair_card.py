"""A pair as somebody is to see it: the sides drawn by a fair coin that only the server can toss."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Row, bindparam, func, select
from sqlalchemy.orm import aliased

from studio.annotation.database.search_text import prompt_from_json
from studio.annotation.database.tables import (
    Annotator,
    Candidate,
    CurrentLabel,
    Dataset,
    Item,
    Label,
    Pair,
)
from studio.annotation.database.team_tables import Guideline, Repeat
from studio.annotation.labeling.project_settings import stored
from studio.annotation.labeling.showings import SECRET, Viewer, no_such_pair
from studio.annotation.records import (
    DETAILS,
    WRITTEN,
    PairCard,
    SideView,
    Span,
    StandingAnswer,
    details_of,
)

FIRST, SECOND, EDIT, IDEAL = (aliased(Candidate) for _ in range(4))
SAID = (
    Label.kind,
    Label.winner_id,
    Label.aspects,
    Label.spans,
    *(getattr(Label, name) for name in DETAILS if name not in WRITTEN),
    EDIT.text.label("edit"),
    IDEAL.text.label("ideal"),
)
"""What somebody answered."""
CARDS = (
    select(
        Pair.id,
        Dataset.name.label("dataset"),
        Item.images,
        Item.prompt,
        Item.question,
        FIRST.id.label("first_id"),
        FIRST.text.label("first_text"),
        FIRST.author.label("first_author"),
        SECOND.id.label("second_id"),
        SECOND.text.label("second_text"),
        SECOND.author.label("second_author"),
        CurrentLabel.version,
        *SAID,
        Label.shown_left_id,
        Dataset.overlap,
        Dataset.settings,
        select(func.max(Guideline.version))
        .where(Guideline.dataset_id == Dataset.id)
        .correlate(Dataset)
        .scalar_subquery()
        .label("guideline"),
        SECRET.label("secret"),
    )
    .join(Item, Item.id == Pair.item_id)
    .join(Dataset, Dataset.id == Pair.dataset_id)
    .join(FIRST, FIRST.id == Pair.first_id)
    .join(SECOND, SECOND.id == Pair.second_id)
    .outerjoin(Annotator, Annotator.name == bindparam("annotator"))
    .outerjoin(
        CurrentLabel,
        (CurrentLabel.pair_id == Pair.id) & (CurrentLabel.annotator_id == Annotator.id),
    )
    .outerjoin(Label, Label.id == CurrentLabel.label_id)
    .outerjoin(EDIT, EDIT.id == Label.edit_id)
    .outerjoin(IDEAL, IDEAL.id == Label.ideal_id)
    .where(Pair.id.in_(bindparam("pairs", expanding=True)))
)


SAID_AGAIN = (
    select(Repeat.pair_id, *SAID)
    .join(Annotator, Annotator.id == Repeat.annotator_id)
    .join(Label, Label.id == Repeat.answer_id)
    .outerjoin(EDIT, EDIT.id == Label.edit_id)
    .outerjoin(IDEAL, IDEAL.id == Label.ideal_id)
    .where(
        Annotator.name == bindparam("annotator"),
        Repeat.pair_id.in_(bindparam("pairs", expanding=True)),
    )
)


def cards(
    connection: Connection, showings: Sequence[tuple[int, bool]], annotator: str
) -> list[PairCard]:
    """Make the blind cards of showings (pair, is it the second), in that order."""
    parameters = {"annotator": annotator, "pairs": list({pair for pair, _ in showings})}
    rows = {row.id: row for row in connection.execute(CARDS, parameters)}
    again = {"annotator": annotator, "pairs": [pair for pair, repeat in showings if repeat]}
    said = {}
    if again["pairs"]:
        said = {row.pair_id: row for row in connection.execute(SAID_AGAIN, again)}
    return [
        _card(rows[pair], annotator, repeat, said.get(pair) if repeat else rows[pair])
        for pair, repeat in showings
        if pair in rows
    ]


def card(connection: Connection, pair: int, annotator: str, repeat: bool = False) -> PairCard:
    """Make the card of one pair.

    Raises:
        NotFoundError: There is no such pair.
    """
    made = cards(connection, [(pair, repeat)], annotator)
    if not made:
        raise no_such_pair(pair)
    return made[0]


def _card(row: Row, annotator: str, repeat: bool, said: Row | None) -> PairCard:
    """The card of a pair with what was `said` of this showing of it."""
    person = Viewer(row.secret, annotator)
    sides = [SideView(row.first_id, row.first_text), SideView(row.second_id, row.second_text)]
    authors = [row.first_author, row.second_author]
    # As the answer that stands was given; without one, as the coin falls.
    first_is_left = person.left_is_first(row.id)
    if row.shown_left_id in (row.first_id, row.second_id):
        first_is_left = row.shown_left_id == row.first_id
    if first_is_left is repeat:
        sides.reverse()
        authors.reverse()
    settings = stored(row.overlap, row.settings)
    answered = said is not None and bool(said.kind)
    return PairCard(
        pair_id=row.id,
        dataset=row.dataset,
        images=tuple(row.images),
        prompt=prompt_from_json(row.prompt),
        question=row.question,
        left=sides[0],
        right=sides[1],
        version=row.version or 0,
        current=_answer(said) if answered else None,
        repeat=repeat,
        aspects=settings.aspects,
        markdown=settings.markdown,
        guideline=row.guideline or 0,
        authors=tuple(authors) if answered and settings.show_authors else (),
        handle=person.handle(row.id, repeat),
        showing=person.showing(row.id, repeat, sides[0].candidate_id),
        base=person.base(row.id, repeat),
    )


def _answer(row) -> StandingAnswer:
    return StandingAnswer(
        kind=row.kind,
        winner_id=row.winner_id,
        aspects=row.aspects or {},
        spans=tuple(Span(**span) for span in row.spans or ()),
        **details_of(row),
    )
