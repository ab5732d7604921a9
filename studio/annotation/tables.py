"""The tables. Labels are append-only events; `current_labels` and `Pair.votes` are projections.

Times are seconds since the epoch (UTC). Every change of a table needs a migration.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of every table of the annotation database."""


class Dataset(Base):
    """A named set of items; `overlap` people answer each of its pairs."""

    __tablename__ = "datasets"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    overlap: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[float] = mapped_column(Float)


class Item(Base):
    """One prompt over zero or more images."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    external_id: Mapped[str] = mapped_column(String(500))
    prompt: Mapped[list] = mapped_column(JSON)
    question: Mapped[str] = mapped_column(Text)
    images: Mapped[list] = mapped_column(JSON)
    fingerprint: Mapped[str] = mapped_column(String(64))
    meta: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (
        Index("items_external", "dataset_id", "external_id", unique=True),
        Index("items_page", "dataset_id", "id"),
    )


class Candidate(Base):
    """One answer to an item; `length` in characters, `tokens` when the author counted them."""

    __tablename__ = "candidates"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    text: Mapped[str] = mapped_column(Text)
    text_hash: Mapped[str] = mapped_column(String(64))
    author: Mapped[str] = mapped_column(String(300), default="")
    length: Mapped[int] = mapped_column(Integer)
    tokens: Mapped[int | None] = mapped_column(Integer)
    decoding: Mapped[dict | None] = mapped_column(JSON)
    reference: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("candidates_identity", "item_id", "author", "text_hash", unique=True),)


class Pair(Base):
    """Two candidates of one item, `first_id < second_id`.

    `source_choice_id` is the preference the source came with: nobody's label.
    """

    __tablename__ = "pairs"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    first_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    second_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    source_choice_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    votes: Mapped[int] = mapped_column(Integer, default=0)
    open: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (
        Index("pairs_identity", "first_id", "second_id", unique=True),
        Index("pairs_waiting", "open", "dataset_id", "id"),
        Index("pairs_item", "item_id"),
        Index("pairs_dataset", "dataset_id", "id"),
    )


class Annotator(Base):
    """Somebody who labels."""

    __tablename__ = "annotators"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[float] = mapped_column(Float)


class Label(Base):
    """One event, never changed: an answer or the undoing of one.

    `version` numbers the events of one (pair, annotator) from 1, so that two writers who
    both saw version 3 cannot both write version 4.
    """

    __tablename__ = "labels"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"))
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotators.id"))
    version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(20))
    winner_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    strength: Mapped[str] = mapped_column(String(20), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    comment: Mapped[str] = mapped_column(Text, default="")
    elapsed_ms: Mapped[int | None] = mapped_column(Integer)
    shown_left_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"), unique=True)
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (
        Index("labels_version", "pair_id", "annotator_id", "version", unique=True),
        Index("labels_annotator", "annotator_id", "id"),
    )


class CurrentLabel(Base):
    """What (pair, annotator) says now; `label_id` is null after everything was undone."""

    __tablename__ = "current_labels"
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True)
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    label_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    version: Mapped[int] = mapped_column(Integer)
    __table_args__ = (Index("current_labels_annotator", "annotator_id", "label_id"),)


class Lease(Base):
    """A pair held for somebody until `expires_at`."""

    __tablename__ = "leases"
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True)
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    expires_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("leases_annotator", "annotator_id", "expires_at"),)
