"""The team: richer labels, second showings, gold, guidelines, decisions, audit."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

APPEND_ONLY = ("guidelines", "decisions", "audit")


def upgrade() -> None:
    add_columns()
    create_checks()
    create_records()
    op.create_index("pairs_queue", "pairs", ["queue", "dataset_id", "id"])
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            forbid_changing(table)
    else:
        forbid_changing_postgresql("labels", "text_edits", *APPEND_ONLY)


def add_columns() -> None:
    def flag(name: str) -> sa.Column:
        return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())

    def word(name: str, length: int) -> sa.Column:
        return sa.Column(name, sa.String(length), nullable=False, server_default="")

    op.add_column("datasets", sa.Column("settings", sa.JSON(), nullable=True))
    op.add_column("annotators", sa.Column("cleared", sa.Boolean(), nullable=True))
    op.add_column("pairs", sa.Column("skips", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("pairs", word("queue", 12))
    op.add_column("pairs", word("origin", 10))
    op.add_column("pairs", sa.Column("origin_label_id", sa.Integer(), nullable=True))
    op.add_column("pairs", flag("gold"))
    for name in ("flagged", "repeat"):
        op.add_column("labels", flag(name))
    for name in ("aspects", "spans"):
        op.add_column("labels", sa.Column(name, sa.JSON(), nullable=True))
    for name in ("edit_id", "ideal_id", "guideline"):
        op.add_column("labels", sa.Column(name, sa.Integer(), nullable=True))


def create_checks() -> None:
    op.create_table(
        "repeats",
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("annotator_id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["pair_id"], ["pairs.id"]),
        sa.ForeignKeyConstraint(["annotator_id"], ["annotators.id"]),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"]),
        sa.ForeignKeyConstraint(["answer_id"], ["labels.id"]),
        sa.PrimaryKeyConstraint("pair_id", "annotator_id"),
    )
    op.create_index("repeats_waiting", "repeats", ["annotator_id", "answer_id", "label_id"])
    op.create_table(
        "gold",
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("winner_id", sa.Integer(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["pair_id"], ["pairs.id"]),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"]),
        sa.ForeignKeyConstraint(["winner_id"], ["candidates.id"]),
        sa.PrimaryKeyConstraint("pair_id"),
    )
    op.create_index("gold_dataset", "gold", ["active", "dataset_id", "pair_id"])


def create_records() -> None:
    op.create_table(
        "guidelines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("guidelines_version", "guidelines", ["dataset_id", "version"], unique=True)
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("pair_id", sa.Integer(), nullable=False),
        sa.Column("lead", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("winner_id", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["pair_id"], ["pairs.id"]),
        sa.ForeignKeyConstraint(["winner_id"], ["candidates.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("decisions_pair", "decisions", ["pair_id", "id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("dataset", sa.String(200), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def forbid_changing(table: str) -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        )


def forbid_changing_postgresql(*tables: str) -> None:
    op.execute(
        "CREATE FUNCTION append_only() RETURNS trigger AS $$ "
        "BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME "
        "USING ERRCODE = 'integrity_constraint_violation'; END $$ LANGUAGE plpgsql"
    )
    for table in tables:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION append_only()"
        )


def downgrade() -> None:
    raise NotImplementedError("the team's work would be lost")
