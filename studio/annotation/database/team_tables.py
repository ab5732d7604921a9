"""Tables of the team's work: second showings, gold, guidelines, decisions, the audit log, judges."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from studio.annotation.database.tables import Base


class Repeat(Base):
    """A pair to be shown to the same person again, swapped; `answer_id` once they answered."""

    __tablename__ = "repeats"
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True)
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("labels.id"))
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("labels.id"))
    __table_args__ = (Index("repeats_waiting", "annotator_id", "answer_id", "label_id"),)


class Gold(Base):
    """A pair whose right answer is known; everybody gets it, and it is closed to ordinary claims."""

    __tablename__ = "gold"
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    kind: Mapped[str] = mapped_column(String(20))
    winner_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    explanation: Mapped[str] = mapped_column(Text, default="")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("gold_dataset", "active", "dataset_id", "pair_id"),)


class Guideline(Base):
    """One version of a dataset's guidelines (Markdown); the highest version stands."""

    __tablename__ = "guidelines"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    version: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("guidelines_version", "dataset_id", "version", unique=True),)


class Decision(Base):
    """A lead's word on a pair, never changed; the newest stands, `reopen` takes it back."""

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"))
    lead: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    winner_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    comment: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("decisions_pair", "pair_id", "id"),)


class AuditEntry(Base):
    """Something a lead did, never changed. Labels and decisions are their own record."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(40))
    dataset: Mapped[str] = mapped_column(String(200), default="")
    details: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float)


class Judgement(Base):
    """What a model that judges says of a pair. It is no label: nothing counts it by itself.

    Attributes:
        judge: Its name as an annotator, `judge:MODEL`.
        kind: `choose`, `tie`, or `unreadable` when its words could not be understood.
        changed_mind: It preferred another answer when the two were shown the other way round.
        said: Its own words, for each order of the two: the first one first, then last.
        model, prompt: Who was asked, and the version of the question.
    """

    __tablename__ = "judgements"
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True)
    judge: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    winner_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    changed_mind: Mapped[bool] = mapped_column(Boolean)
    said: Mapped[list] = mapped_column(JSON)
    model: Mapped[str] = mapped_column(String(2400))
    prompt: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[float] = mapped_column(Float)
