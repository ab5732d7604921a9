"""A filter as SQL: conditions on items, answered from indices."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.types import Text

from studio.annotation.database.search_text import fold
from studio.annotation.database.tables import (
    Annotator,
    CurrentLabel,
    Dataset,
    ImportBatch,
    Item,
    ItemTag,
    Label,
    Pair,
)
from studio.annotation.library.import_staging import unpublished
from studio.annotation.records import VOTES, ItemFilter
from studio.data.schema import VERDICT

_WORD = re.compile(r"\w+")
_WITHOUT_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)

# PostgreSQL's parser reads hosts, paths, numbers and tags out of signs; here a sign ends a word.
# The index `items_fulltext` is of exactly this: changing it needs a migration.
_SIGNS = (
    *(code for code in range(33, 127) if not chr(code).isalnum()),
    *(0xA1, 0xAB, 0xB7, 0xBB, 0xBF),
    *range(0x2010, 0x2028),
    *range(0x2030, 0x205F),
    *range(0x20A0, 0x20C1),
    *range(0x3001, 0x3020),
)
_ESCAPED = "".join(f"\\u{code:04x}" for code in _SIGNS)
DOCUMENT = f"to_tsvector('simple', translate(items.search, E'{_ESCAPED}', '{' ' * len(_SIGNS)}'))"


def conditions(connection: Connection, where: ItemFilter) -> Iterator[ColumnElement[bool]]:
    """Yield what an item must fulfil; the conditions are to be joined by `and`."""
    where = _storable(where)
    yield Item.batch.not_in(unpublished())
    yield Item.deleted_at.is_not(None) if where.deleted else Item.deleted_at.is_(None)
    if where.dataset is not None:
        query = select(Dataset.id).where(Dataset.name == where.dataset)
        number = connection.execute(query).scalar()
        yield false() if number is None else Item.dataset_id == number
    yield from _columns(where)
    yield from _relations(where)
    if where.ids is not None:
        yield Item.id.in_(_numbers(connection, where.ids))
    yield from _search(connection, fold(where.search))


def _storable(where: ItemFilter) -> ItemFilter:
    """`where` in characters that a database can be asked for; the others are in none."""
    given = ((part.name, getattr(where, part.name)) for part in fields(where))
    texts = {name: value.replace("\0", " ") for name, value in given if isinstance(value, str)}
    sent = {name: text.encode("utf-16", "surrogatepass") for name, text in texts.items()}
    whole: dict[str, Any] = {name: text.decode("utf-16", "replace") for name, text in sent.items()}
    return replace(where, **whole)


def filtered(connection: Connection, query: Select, where: ItemFilter) -> Select:
    """Narrow a query over items to those that `where` lets through."""
    return query.where(*conditions(connection, where))


def _columns(where: ItemFilter) -> Iterator[ColumnElement[bool]]:
    if where.split is not None:
        yield Item.split == where.split
    if where.flagged is not None:
        yield Item.flagged.is_(where.flagged)
    if where.excluded is not None:
        yield Item.excluded.is_(where.excluded)
    least, most = where.length
    if least is not None:
        yield Item.length >= least
    if most is not None:
        yield Item.length <= most


def _verdict(verdict: str) -> ColumnElement[bool]:
    """What the source said of a row's single answer; kept beside the row."""
    return Item.meta[VERDICT].as_string() == verdict


def _relations(where: ItemFilter) -> Iterator[ColumnElement[bool]]:
    if where.labelled is not None:
        voted = Item.id.in_(select(Pair.item_id).where(Pair.votes > 0))
        yield voted if where.labelled else ~voted
    if where.labelled_by is not None:
        yield Item.id.in_(_labelled_by(where.labelled_by))
    if where.agreement is not None:
        compared = select(Pair.item_id).where(Pair.votes > 1)
        yield Item.id.in_(compared)
        disputed = Item.id.in_(_disputed())
        yield disputed if where.agreement == "disagree" else ~disputed
    if where.source is not None:
        yield Item.batch.in_(select(ImportBatch.id).where(ImportBatch.source == where.source))
    if where.verdict is not None:
        yield _verdict(where.verdict)
    if where.tag is not None:
        yield Item.id.in_(select(ItemTag.item_id).where(ItemTag.tag == where.tag))


def _labelled_by(annotator: str) -> Select:
    who = select(Annotator.id).where(Annotator.name == annotator).scalar_subquery()
    return (
        select(Pair.item_id)
        .join(CurrentLabel, CurrentLabel.pair_id == Pair.id)
        .join(Label, Label.id == CurrentLabel.label_id)
        .where(CurrentLabel.annotator_id == who)
    )


def _disputed() -> Select:
    """Items with a pair on which two people say different things."""
    choice = case((Label.kind == "choose", cast(Label.winner_id, Text)), else_=Label.kind)
    return (
        select(Pair.item_id)
        .join(CurrentLabel, CurrentLabel.pair_id == Pair.id)
        .join(Label, Label.id == CurrentLabel.label_id)
        .where(Pair.votes > 1, Label.kind.in_(VOTES))
        .group_by(Pair.id, Pair.item_id)
        .having(func.count(choice.distinct()) > 1)
    )


def _numbers(connection: Connection, ids: tuple[int, ...]) -> Select:
    """Any number of ids as one parameter."""
    packed = bindparam(None, json.dumps(ids), type_=Text)
    if connection.dialect.name == "sqlite":
        return select(func.json_each(packed).table_valued("value").c.value)
    from sqlalchemy.dialects.postgresql import JSONB

    values = func.jsonb_array_elements_text(cast(packed, JSONB)).table_valued("value")
    return select(cast(values.c.value, Integer))


def _search(connection: Connection, search: str) -> Iterator[ColumnElement[bool]]:
    """Whole words by the index; what it cannot find (signs, scripts without blanks) by reading."""
    terms: list[str] = []
    for word in search.split():
        words = [] if _is_read(word) else _WORD.findall(word.replace("_", " "))
        terms += words
        if words != [word]:
            yield Item.search.icontains(word, autoescape=True, escape="\\")
    if terms:
        yield _full_text(connection, terms)


def _is_read(word: str) -> bool:
    """Whether the index cannot cut `word` into words."""
    marks = not word.isascii() and any(unicodedata.category(sign)[0] == "M" for sign in word)
    return marks or bool(_WITHOUT_BLANKS.search(word))


def _full_text(connection: Connection, terms: list[str]) -> ColumnElement[bool]:
    if connection.dialect.name == "sqlite":
        match = " ".join(f'"{term}"*' for term in terms)
        hits = text("SELECT rowid FROM items_fts WHERE items_fts MATCH :match")
        return Item.id.in_(hits.bindparams(bindparam("match", match, unique=True)))
    wanted = " & ".join(f"{term}:*" for term in terms)
    return literal_column(DOCUMENT).bool_op("@@")(func.to_tsquery(text("'simple'"), wanted))
