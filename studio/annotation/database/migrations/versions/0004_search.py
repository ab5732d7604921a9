"""Search finds the same in every database, whatever the accents; answers given knowing authors."""

import sqlalchemy as sa
from alembic import op

from studio.annotation.database.search_text import fold
from studio.annotation.library.filters import DOCUMENT

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHUNK = 500


def upgrade() -> None:
    informed: sa.Column[bool] = sa.Column(
        "informed", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("labels", informed)
    fold_texts()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX items_fulltext")
        op.execute(f"CREATE INDEX items_fulltext ON items USING gin ({DOCUMENT})")


def fold_texts() -> None:
    """Fold what is searched in, where folding changes it."""
    items = sa.table("items", sa.column("id"), sa.column("search"))
    change = sa.update(items).where(items.c.id == sa.bindparam("of"))
    change = change.values(search=sa.bindparam("text"))
    connection, last = op.get_bind(), 0
    while True:
        query = sa.select(items).where(items.c.id > last).order_by(items.c.id).limit(CHUNK)
        chunk = connection.execute(query).all()
        if not chunk:
            return
        folded = [{"of": row.id, "text": fold(row.search)} for row in chunk]
        changed = [new for new, row in zip(folded, chunk, strict=True) if new["text"] != row.search]
        if changed:
            connection.execute(change, changed)
        last = chunk[-1].id


def downgrade() -> None:
    raise NotImplementedError("accents and case of what was searched in are gone")
