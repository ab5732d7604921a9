"""The library: staged imports, the bin, marks, tags, edits and full-text search."""

import sqlalchemy as sa
from alembic import op

from studio.annotation.database.search_text import longest, search_text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FILTERED = ["deleted_at", "excluded", "flagged", "batch", "split", "length"]
CHUNK = 500
TOKENIZE = "unicode61 remove_diacritics 2"


def upgrade() -> None:
    create_tables()
    add_columns()
    fill_search()
    change_indices()
    if op.get_bind().dialect.name == "sqlite":
        create_fts()
        forbid_changing_edits()
    else:
        op.execute("CREATE INDEX items_fulltext ON items USING gin (to_tsvector('simple', search))")


def create_tables() -> None:
    op.create_table(
        "import_batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("pid_started", sa.Float(), nullable=False),
        sa.Column("first_item", sa.Integer(), nullable=False),
        sa.Column("first_candidate", sa.Integer(), nullable=False),
        sa.Column("first_pair", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("touched_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("import_batches_state", "import_batches", ["state", "id"])
    op.create_table(
        "item_tags",
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"]),
        sa.PrimaryKeyConstraint("item_id", "tag"),
    )
    op.create_index("item_tags_tag", "item_tags", ["tag", "item_id"])
    op.create_table(
        "text_edits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.Integer(), nullable=True),
        sa.Column("editor", sa.String(length=200), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"]),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("text_edits_item", "text_edits", ["item_id", "id"])


def add_columns() -> None:
    def flag(name: str) -> sa.Column:
        return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())

    def number(name: str) -> sa.Column:
        return sa.Column(name, sa.Integer(), nullable=False, server_default="0")

    op.add_column("datasets", flag("staged"))
    for table in ("items", "candidates", "pairs"):
        op.add_column(table, number("batch"))
    op.add_column("pairs", flag("hidden"))
    op.add_column("items", sa.Column("split", sa.String(100), nullable=False, server_default=""))
    op.add_column("items", sa.Column("search", sa.Text(), nullable=False, server_default=""))
    op.add_column("items", number("length"))
    op.add_column("items", flag("flagged"))
    op.add_column("items", flag("excluded"))
    op.add_column("items", sa.Column("deleted_at", sa.Float(), nullable=True))
    op.add_column("items", number("revision"))


def fill_search() -> None:
    """Texts to search in, for the items that are there."""
    items = sa.table(
        "items",
        *(sa.column(name) for name in ("id", "external_id", "search", "length")),
        sa.column("prompt", sa.JSON()),
    )
    candidates = sa.table("candidates", sa.column("item_id"), sa.column("id"), sa.column("text"))
    connection, last = op.get_bind(), 0
    while True:
        query = sa.select(items).where(items.c.id > last).order_by(items.c.id).limit(CHUNK)
        chunk = connection.execute(query).all()
        if not chunk:
            return
        answers: dict[int, list[str]] = {row.id: [] for row in chunk}
        of_chunk = candidates.c.item_id.in_(answers)
        for row in connection.execute(sa.select(candidates).where(of_chunk).order_by("id")):
            answers[row.item_id].append(row.text)
        values = [
            {
                "of": row.id,
                "text": search_text(row.external_id, row.prompt, answers[row.id]),
                "longest": longest(answers[row.id]),
            }
            for row in chunk
        ]
        change = sa.update(items).where(items.c.id == sa.bindparam("of"))
        connection.execute(
            change.values(search=sa.bindparam("text"), length=sa.bindparam("longest")), values
        )
        last = chunk[-1].id


def change_indices() -> None:
    op.drop_index("items_page", "items")
    op.create_index("items_page", "items", ["dataset_id", "id", *FILTERED])
    op.create_index("items_length", "items", ["dataset_id", "length", "id", *FILTERED[:-1]])
    op.drop_index("pairs_waiting", "pairs")
    op.create_index("pairs_waiting", "pairs", ["open", "hidden", "dataset_id", "id", "batch"])
    op.drop_index("pairs_dataset", "pairs")
    op.create_index(
        "pairs_dataset", "pairs", ["dataset_id", "id", "batch", "hidden", "votes", "open"]
    )
    op.create_index("pairs_votes", "pairs", ["votes", "item_id"])


def create_fts() -> None:
    """SQLite's FTS5 over `items.search`; triggers keep it up to date."""
    op.execute(
        "CREATE VIRTUAL TABLE items_fts USING fts5("
        f"search, content='items', content_rowid='id', tokenize='{TOKENIZE}')"
    )
    op.execute("INSERT INTO items_fts(items_fts) VALUES ('rebuild')")
    forget = "INSERT INTO items_fts(items_fts, rowid, search) VALUES ('delete', old.id, old.search)"
    learn = "INSERT INTO items_fts(rowid, search) VALUES (new.id, new.search)"
    for name, when, what in (
        ("insert", "AFTER INSERT", learn),
        ("delete", "AFTER DELETE", forget),
        ("update", "AFTER UPDATE OF search", f"{forget}; {learn}"),
    ):
        op.execute(f"CREATE TRIGGER items_fts_{name} {when} ON items BEGIN {what}; END")


def forbid_changing_edits() -> None:
    op.execute(
        "CREATE TRIGGER text_edits_no_update BEFORE UPDATE ON text_edits "
        "BEGIN SELECT RAISE(ABORT, 'edits are append-only'); END"
    )


def downgrade() -> None:
    raise NotImplementedError("edits and marks would be lost")
