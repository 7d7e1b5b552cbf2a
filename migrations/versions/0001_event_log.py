"""The event log, its head and snapshots, the match history, profiles and texts."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_REFUSE = """
    CREATE FUNCTION ws_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0]; END $$
"""
"""The function of PostgreSQL's triggers that refuse a change."""

_position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and triggers that refuse changes of events."""
    _create_log()
    _create_personal_data()
    _create_match_history()
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER events_refuse_{change.lower()} BEFORE {change} ON events "
                "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END"
            )
    else:
        op.execute(_REFUSE)
        op.execute(
            "CREATE TRIGGER events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
            "FOR EACH STATEMENT EXECUTE FUNCTION ws_refuse('events are immutable')"
        )


def _create_log() -> None:
    op.create_table(
        "events",
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
        sa.UniqueConstraint("stream", "version", name=op.f("uq_events_stream_version")),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
    )
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("epoch", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_head")),
    )
    op.create_table(
        "snapshots",
        sa.Column("projection", sa.String(64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code_version", sa.String(64), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("projection", "position", name=op.f("pk_snapshots")),
    )


def _create_personal_data() -> None:
    op.create_table(
        "profiles",
        sa.Column("user", sa.String(128), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user", name=op.f("pk_profiles")),
    )
    op.create_table(
        "texts",
        sa.Column("chat", sa.String(64), nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chat", name=op.f("pk_texts")),
    )


def _create_match_history() -> None:
    op.create_table(
        "matches",
        sa.Column("match", sa.String(96), nullable=False),
        sa.Column("game", sa.String(64), nullable=False),
        sa.Column("rules_version", sa.Integer(), nullable=False),
        sa.Column("started_position", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("ticks", sa.BigInteger()),
        sa.Column("reason", sa.String(16)),
        sa.Column("winner", sa.Integer()),
        sa.Column("scores", sa.Text()),
        sa.PrimaryKeyConstraint("match", name=op.f("pk_matches")),
    )
    op.create_index(op.f("ix_matches_started_position"), "matches", ["started_position"])
    op.create_index(
        op.f("ix_matches_game_started_position"), "matches", ["game", "started_position"]
    )
    op.create_table(
        "match_players",
        sa.Column("match", sa.String(96), nullable=False),
        sa.Column("seat", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(
            ["match"], ["matches.match"], name=op.f("fk_match_players_match_matches")
        ),
        sa.PrimaryKeyConstraint("match", "seat", name=op.f("pk_match_players")),
    )
    op.create_index(op.f("ix_match_players_user_match"), "match_players", ["user", "match"])


def downgrade() -> None:
    """Drop all tables, those of later revisions included; refuse if there are events."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM events LIMIT 1")).first():
        raise CommandError("there are events in this log, so its tables are not dropped")
    for table in (
        "bearers",
        "outbox",
        "consumers",
        "match_players",
        "matches",
        "texts",
        "profiles",
        "snapshots",
        "log_head",
        "events",
    ):
        op.drop_table(table, if_exists=True)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION ws_refuse()")
