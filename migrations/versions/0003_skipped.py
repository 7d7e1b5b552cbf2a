"""Events that an operator skipped, since they can't be read or folded; see `log skip`."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, with triggers that refuse changes."""
    op.create_table(
        "skipped",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("skipped_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_skipped")),
        if_not_exists=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER IF NOT EXISTS skipped_refuse_{change.lower()} "
                f"BEFORE {change} ON skipped "
                "BEGIN SELECT RAISE(ABORT, 'skips are immutable'); END"
            )
    else:
        op.execute(
            "CREATE OR REPLACE TRIGGER skipped_refuse_change "
            "BEFORE UPDATE OR DELETE OR TRUNCATE ON skipped "
            "FOR EACH STATEMENT EXECUTE FUNCTION ws_refuse('skips are immutable')"
        )


def downgrade() -> None:
    """Drop the table unless it has rows: a skip is never forgotten."""
    if not op.get_bind().exec_driver_sql("SELECT count(*) FROM skipped").scalar_one():
        op.drop_table("skipped")
