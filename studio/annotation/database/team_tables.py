"""Tables of the team's work: second showings, gold, guidelines, decisions and the audit log."""

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
