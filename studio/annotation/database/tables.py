"""The tables. Labels are append-only events; `current_labels` and `Pair.votes` are projections.

Times are seconds since the epoch (UTC). Every change of a table needs a migration.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Columns that filters look at, kept in the indices so that counting never reads the texts.
FILTERED = ("deleted_at", "excluded", "flagged", "batch", "split", "length")
LAST_PLACE = 1_000_000_000
"""The place in the queue of a pair that nobody has put into an order: behind all others."""


class Base(DeclarativeBase):
    """Base of every table of the annotation database."""


class ImportBatch(Base):
    """One import. Rows carry its id as `batch` and are not seen while `state` is `staging`.

    `batch` 0 is rows from before there were batches. A batch without a living owner is
    discarded by the next import; its rows have ids above `first_item`, `first_candidate` and
    `first_pair`.
    """

    __tablename__ = "import_batches"
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    source: Mapped[str] = mapped_column(String(500), default="")
    state: Mapped[str] = mapped_column(String(20))
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    pid_started: Mapped[float] = mapped_column(Float)
    first_item: Mapped[int] = mapped_column(Integer)
    first_candidate: Mapped[int] = mapped_column(Integer)
    first_pair: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)
    touched_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("import_batches_state", "state", "id"),)


class Dataset(Base):
    """A named set of items; `overlap` people answer each of its pairs.

    `staged` until its first import is published. `settings` are those of `ProjectSettings`;
    `reading` is how its source was read, where somebody said so (`saved_columns.SavedReading`).
    """

    __tablename__ = "datasets"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    overlap: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[float] = mapped_column(Float)
    staged: Mapped[bool] = mapped_column(Boolean, default=False)
    settings: Mapped[dict | None] = mapped_column(JSON)
    reading: Mapped[dict | None] = mapped_column(JSON)


class Item(Base):
    """One prompt over zero or more images.

    Attributes:
        fingerprint: sha256 of what was imported, so that importing again after an edit adds
            nothing.
        search: Everything full-text search looks at: id, prompt and answers.
        length: Characters of the longest answer.
        split: The split of the source it came from; empty when unknown.
        flagged: Somebody should look at it again.
        excluded: Neither labelled, exported nor trained on.
        deleted_at: In the bin since then.
        revision: Number of edits of its texts.
    """

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
    batch: Mapped[int] = mapped_column(Integer, default=0)
    split: Mapped[str] = mapped_column(String(100), default="")
    search: Mapped[str] = mapped_column(Text, default="")
    length: Mapped[int] = mapped_column(Integer, default=0)
    flagged: Mapped[bool] = mapped_column(Boolean, default=False)
    excluded: Mapped[bool] = mapped_column(Boolean, default=False)
    deleted_at: Mapped[float | None] = mapped_column(Float)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    __table_args__ = (
        Index("items_external", "dataset_id", "external_id", unique=True),
        Index("items_page", "dataset_id", "id", *FILTERED),
        Index("items_length", "dataset_id", "length", "id", *FILTERED[:-1]),
    )


class ItemTag(Base):
    """A word somebody put on an item."""

    __tablename__ = "item_tags"
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(60), primary_key=True)
    __table_args__ = (Index("item_tags_tag", "tag", "item_id"),)


class TextEdit(Base):
    """One change of a text, never changed itself: of an answer, or (without one) of the question."""

    __tablename__ = "text_edits"
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    candidate_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    editor: Mapped[str] = mapped_column(String(200))
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("text_edits_item", "item_id", "id"),)


class Candidate(Base):
    """One answer to an item; `length` in characters, `tokens` when the author counted them.

    `text_hash` is of the text as it was imported, `text` as it was edited last.
    """

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
    batch: Mapped[int] = mapped_column(Integer, default=0)
    __table_args__ = (Index("candidates_identity", "item_id", "author", "text_hash", unique=True),)


class Pair(Base):
    """Two candidates of one item, `first_id < second_id`.

    `source_choice_id` is the preference the source came with: nobody's label. `hidden` while its
    item is excluded or deleted. `queue` says why a lead should look at it (`projection.QUEUES`).
    Pairs with the lowest `place` are handed out first; it is `LAST_PLACE` while nobody ordered the
    queue. `sampled` ones are its random share (`labeling.queue_order`).
    `origin` is `edit` or `ideal` when somebody wrote the preferred answer with the label
    `origin_label_id`; such a pair is never handed out.
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
    batch: Mapped[int] = mapped_column(Integer, default=0)
    hidden: Mapped[bool] = mapped_column(Boolean, default=False)
    skips: Mapped[int] = mapped_column(Integer, default=0)
    queue: Mapped[str] = mapped_column(String(12), default="")
    origin: Mapped[str] = mapped_column(String(10), default="")
    origin_label_id: Mapped[int | None] = mapped_column(Integer)
    gold: Mapped[bool] = mapped_column(Boolean, default=False)
    place: Mapped[int] = mapped_column(Integer, default=LAST_PLACE, server_default=str(LAST_PLACE))
    sampled: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    __table_args__ = (
        Index("pairs_identity", "first_id", "second_id", unique=True),
        Index("pairs_waiting", "open", "hidden", "dataset_id", "place", "id", "batch"),
        Index("pairs_item", "item_id"),
        Index("pairs_queue", "queue", "dataset_id", "id"),
        Index("pairs_dataset", "dataset_id", "id", "batch", "hidden", "votes", "open"),
        Index("pairs_votes", "votes", "item_id"),
    )


class Annotator(Base):
    """Somebody who labels; `cleared` by a lead whatever their qualification round says."""

    __tablename__ = "annotators"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[float] = mapped_column(Float)
    cleared: Mapped[bool | None] = mapped_column(Boolean)


class Label(Base):
    """One event, never changed: an answer or the undoing of one.

    `version` numbers the events of one (pair, annotator) from 1, so that two writers who
    both saw version 3 cannot both write version 4. A `repeat` answers a second showing and never
    stands. `edit_id` and `ideal_id` are the candidates written with the answer; `guideline` is
    the version of the guidelines it was given under. `informed`: somebody who had answered before
    and been told then who wrote what, or who had it revealed in the library.
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
    flagged: Mapped[bool] = mapped_column(Boolean, default=False)
    repeat: Mapped[bool] = mapped_column(Boolean, default=False)
    informed: Mapped[bool] = mapped_column(Boolean, default=False)
    aspects: Mapped[dict | None] = mapped_column(JSON)
    spans: Mapped[list | None] = mapped_column(JSON)
    edit_id: Mapped[int | None] = mapped_column(Integer)
    ideal_id: Mapped[int | None] = mapped_column(Integer)
    guideline: Mapped[int | None] = mapped_column(Integer)
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
    """A pair handed out to somebody, and held for them until `expires_at`.

    The row stays when the pair is answered or given up: whoever was handed a pair may answer it
    late, nobody else may.

    Attributes:
        handed_at: When it was handed out first; None: by a version that did not note it.
        again_at: When its second showing was handed out.
        plain: Handed out by a version that named answers by id; answers in its words are taken.
        drawn: Why it was this pair's turn: `random` or `ranked` in an ordered queue, else empty.
    """

    __tablename__ = "leases"
    pair_id: Mapped[int] = mapped_column(ForeignKey("pairs.id"), primary_key=True)
    annotator_id: Mapped[int] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    expires_at: Mapped[float] = mapped_column(Float)
    handed_at: Mapped[float | None] = mapped_column(Float)
    again_at: Mapped[float | None] = mapped_column(Float)
    plain: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    drawn: Mapped[str] = mapped_column(String(8), default="", server_default="")
    __table_args__ = (Index("leases_annotator", "annotator_id", "expires_at"),)


class Secret(Base):
    """What only the server knows; `showings` keys the sides and the ids that a page is sent."""

    __tablename__ = "secrets"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(64))
