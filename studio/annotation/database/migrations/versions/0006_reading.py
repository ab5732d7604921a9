"""How a dataset's source is read is kept with it, for the next import."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("reading", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("datasets", "reading")
