"""The outbox of finished matches: who gets them, what waits, and the tokens to deliver with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; matches that ended before are of no concern to later consumers."""
    op.create_table(
        "consumers",
        sa.Column("consumer", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_consumers")),
    )
    op.create_table(
        "outbox",
        sa.Column("consumer", sa.String(64), nullable=False),
        sa.Column("match", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.PrimaryKeyConstraint("consumer", "match", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_consumer_next_at"), "outbox", ["consumer", "next_at"])
    op.create_index(
        op.f("ix_outbox_consumer_state_position"), "outbox", ["consumer", "state", "position"]
    )
    op.create_table(
        "bearers",
        sa.Column("match", sa.String(64), nullable=False),
        sa.Column("user", sa.String(128), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("match", name=op.f("pk_bearers")),
    )


def downgrade() -> None:
    """Take the tables away; what waits is forgotten."""
    for table in ("bearers", "outbox", "consumers"):
        op.drop_table(table)
