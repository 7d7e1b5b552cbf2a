"""The outbox of finished matches: consumers, pending deliveries, and tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; matches that ended before are of no concern to later consumers.

    They are there already after a step down. What they say is then rebuilt (see env.py).
    """
    op.create_table(
        "consumers",
        sa.Column("consumer", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_consumers")),
        if_not_exists=True,
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
        if_not_exists=True,
    )
    for columns in (["consumer", "next_at"], ["consumer", "state", "position"]):
        name = op.f(f"ix_outbox_{'_'.join(columns)}")
        op.create_index(name, "outbox", columns, if_not_exists=True)
    op.create_table(
        "bearers",
        sa.Column("match", sa.String(64), nullable=False),
        sa.Column("user", sa.String(128), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("match", name=op.f("pk_bearers")),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Keep the tables: pending deliveries go on after the next upgrade, and need the tokens."""
