"""Pairs have a place in the queue; which ones were its random share is kept with what was handed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    last = "1000000000"
    op.add_column("pairs", sa.Column("place", sa.Integer, nullable=False, server_default=last))
    op.add_column(
        "pairs", sa.Column("sampled", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("leases", sa.Column("drawn", sa.String(8), nullable=False, server_default=""))
    op.drop_index("pairs_waiting", "pairs")
    columns = ["open", "hidden", "dataset_id", "place", "id", "batch"]
    op.create_index("pairs_waiting", "pairs", columns)


def downgrade() -> None:
    op.drop_index("pairs_waiting", "pairs")
    op.create_index("pairs_waiting", "pairs", ["open", "hidden", "dataset_id", "id", "batch"])
    op.drop_column("leases", "drawn")
    op.drop_column("pairs", "sampled")
    op.drop_column("pairs", "place")
