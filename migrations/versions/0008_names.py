"""Index the display names, by which matches are searched."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index(op.f("ix_profiles_name"), "profiles", ["name"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index(op.f("ix_profiles_name"), "profiles")
