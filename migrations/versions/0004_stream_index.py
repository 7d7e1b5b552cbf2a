"""Index the events by stream in a table of its own, which can be filled in bulk.

The unique constraint over stream and version made every append dirty a page of its own. SQLite
can't drop a constraint: the table is copied. That needs as much free space as the log has, and
about a minute for ten million events.

PostgreSQL keeps the constraint, since there several processes may append: nothing changes there.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Fill the new index from the old one, then copy the events into a table without that."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.create_table(
        "stream_index",
        sa.Column("stream", sa.String(200), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "version", name=op.f("pk_stream_index")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stream_index_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_index_head")),
    )
    op.execute(
        "INSERT INTO stream_index (stream, version, position) "
        "SELECT stream, version, position FROM events ORDER BY stream, version"
    )
    op.execute(
        "INSERT INTO stream_index_head (id, position) SELECT 1, coalesce(max(position), 0) "
        "FROM events"
    )
    _copy_events()


def downgrade() -> None:
    """Let the table of events enforce unique stream versions again."""
    if op.get_bind().dialect.name != "sqlite":
        return
    _copy_events(
        sa.UniqueConstraint("stream", "version", name=op.f("uq_events_stream_version")),
    )
    op.drop_table("stream_index_head")
    op.drop_table("stream_index")


def _copy_events(*constraints: sa.UniqueConstraint) -> None:
    """Copy the events into a table with other constraints; rows are not changed."""
    op.create_table(
        "events_copy",
        sa.Column("position", _position, autoincrement=False, nullable=False),
        sa.Column("stream", sa.String(200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.LargeBinary(16), nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(128)),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("meta", sa.LargeBinary()),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_events")),
        *constraints,
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
    )
    op.execute("INSERT INTO events_copy SELECT * FROM events ORDER BY position")
    op.drop_table("events")
    op.rename_table("events_copy", "events")
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER events_refuse_{change.lower()} BEFORE {change} ON events "
            "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END"
        )
