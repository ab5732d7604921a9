"""What was handed out to whom stays known; the secret that keeps the sides and ids of a page."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Whoever holds or has answered a pair may still send an answer in the words of the version
# before, and everybody may have a gold pair before them.
HELD = "UPDATE leases SET plain = true"
ANSWERED = """
INSERT INTO leases (pair_id, annotator_id, expires_at, plain)
SELECT pair_id, annotator_id, 0, true FROM current_labels WHERE true ON CONFLICT DO NOTHING
"""
GOLDEN = """
INSERT INTO leases (pair_id, annotator_id, expires_at, plain)
SELECT gold.pair_id, annotators.id, 0, true FROM gold CROSS JOIN annotators
WHERE gold.active ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    plain: sa.Column[bool] = sa.Column(
        "plain", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("leases", plain)
    for name in ("handed_at", "again_at"):
        op.add_column("leases", sa.Column(name, sa.Float(), nullable=True))
    for statement in (HELD, ANSWERED, GOLDEN):
        op.execute(statement)
    made = op.create_table(
        "secrets",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.bulk_insert(made, [{"name": "showings", "value": secrets.token_hex(32)}])


def downgrade() -> None:
    raise NotImplementedError("pairs that were handed out would be forgotten")
