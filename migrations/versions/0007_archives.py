"""Archives: rows of finished matches may leave the log by one way, and baselines of the world."""

from types import ModuleType

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_LAST_GAP = """
    (SELECT g.last FROM archive_gaps AS g WHERE g.first <= OLD.position
        ORDER BY g.first DESC LIMIT 1)
"""
_IS_AUTHORISED = """
    EXISTS (
        SELECT 1 FROM events AS e WHERE e.position = NEW.archive AND e.type = 'log.archived'
            AND (e.position = (SELECT h.position FROM log_head AS h WHERE h.id = 1)
                OR NOT EXISTS (SELECT 1 FROM events AS r
                    WHERE r.position BETWEEN NEW.first AND NEW.last))
    )
"""
"""A gap may be recorded in the transaction of its event, or where no rows are, as in a copy."""

_IMMUTABLE = ("archives", "archive_gaps", "archived_streams")

_SQLITE = (
    "DROP TRIGGER events_refuse_delete",
    f"""
    CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
    WHEN coalesce({_LAST_GAP}, 0) < OLD.position
    BEGIN SELECT RAISE(ABORT, 'events are immutable'); END
    """,
    f"""
    CREATE TRIGGER archive_gaps_refuse_insert BEFORE INSERT ON archive_gaps
    WHEN NOT {_IS_AUTHORISED}
    BEGIN SELECT RAISE(ABORT, 'rows leave the log by log.archived alone'); END
    """,
    *(
        f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'archives are immutable'); END"
        for table in _IMMUTABLE
        for change in ("UPDATE", "DELETE")
    ),
)

_POSTGRES = (
    "DROP TRIGGER events_refuse_change ON events",
    (
        "CREATE TRIGGER events_refuse_change BEFORE UPDATE OR TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION ws_refuse('events are immutable')"
    ),
    f"""
    CREATE FUNCTION ws_refuse_unarchived() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF coalesce({_LAST_GAP}, 0) < OLD.position THEN
            RAISE EXCEPTION 'events are immutable';
        END IF;
        RETURN OLD;
    END $$
    """,
    (
        "CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events "
        "FOR EACH ROW EXECUTE FUNCTION ws_refuse_unarchived()"
    ),
    f"""
    CREATE FUNCTION ws_refuse_unauthorised() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT {_IS_AUTHORISED} THEN
            RAISE EXCEPTION 'rows leave the log by log.archived alone';
        END IF;
        RETURN NEW;
    END $$
    """,
    (
        "CREATE TRIGGER archive_gaps_refuse_insert BEFORE INSERT ON archive_gaps "
        "FOR EACH ROW EXECUTE FUNCTION ws_refuse_unauthorised()"
    ),
    *(
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ws_refuse('archives are immutable')"
        for table in _IMMUTABLE
    ),
    # The one way by which rows leave the log. The event p_archive and its gaps stand in the same
    # transaction, which also ends with all its rows gone, or not at all.
    """
    CREATE FUNCTION ws_archive(p_archive bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
    DECLARE
        v_gap archive_gaps;
        v_some bigint;
        v_gone bigint := 0;
    BEGIN
        FOR v_gap IN SELECT * FROM archive_gaps AS g WHERE g.archive = p_archive LOOP
            DELETE FROM events AS e WHERE e.position BETWEEN v_gap.first AND v_gap.last;
            GET DIAGNOSTICS v_some = ROW_COUNT;
            v_gone := v_gone + v_some;
        END LOOP;
        IF v_gone <> (SELECT a.count FROM archives AS a WHERE a.position = p_archive) THEN
            RAISE EXCEPTION 'the archive has other rows than the log';
        END IF;
        RETURN v_gone;
    END $$
    """,
)

_LAST_VERSIONS = {
    "SELECT coalesce(max(e.version), 0) + (": """
                    SELECT greatest(coalesce(max(e.version), 0), coalesce((
                            SELECT max(a.last_version) FROM archived_streams AS a
                            WHERE a.stream = v_stream), 0)) + (""",
    """coalesce((
                SELECT e.version FROM events AS e WHERE e.stream = t.stream
                ORDER BY e.version DESC LIMIT 1
            ), 0)""": """coalesce((
                SELECT e.version FROM events AS e WHERE e.stream = t.stream
                ORDER BY e.version DESC LIMIT 1
            ), (
                SELECT max(a.last_version) FROM archived_streams AS a WHERE a.stream = t.stream
            ), 0)""",
}
"""What `ws_append` has to look up elsewhere for a stream whose rows are archived."""


def upgrade() -> None:
    """Add the tables, and let rows leave the log by one way."""
    _create_tables()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if is_sqlite else _POSTGRES:
        _run(statement)
    if not is_sqlite:
        _replace_append(_with_archives(_append()))


def _create_tables() -> None:
    op.create_table(
        "archives",
        sa.Column("position", _position, autoincrement=False, nullable=False),
        sa.Column("file", sa.String(200), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_archives")),
        sa.UniqueConstraint("file", name=op.f("uq_archives_file")),
    )
    op.create_table(
        "archive_gaps",
        sa.Column("first", _position, autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("archive", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("first", name=op.f("pk_archive_gaps")),
    )
    op.create_table(
        "archived_streams",
        sa.Column("stream", sa.String(200), nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("last_version", sa.BigInteger(), nullable=False),
        sa.Column("visibility", sa.String(16)),
        sa.Column("archive", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "first", name=op.f("pk_archived_streams")),
    )
    op.create_table(
        "baselines",
        sa.Column("position", _position, autoincrement=False, nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_baselines")),
    )


def downgrade() -> None:
    """Drop the tables; refuse if rows are archived, which older versions would miss."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM archives LIMIT 1")).first():
        raise CommandError("events of this log are in archives, which older versions can't read")
    if op.get_bind().dialect.name == "sqlite":
        _run("DROP TRIGGER events_refuse_delete")
    else:
        _run("DROP TRIGGER events_refuse_change ON events")
        _run("DROP TRIGGER events_refuse_delete ON events")
        _run("DROP FUNCTION ws_archive(bigint)")
        _replace_append(_append())
    for table in ("baselines", "archived_streams", "archive_gaps", "archives"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "sqlite":
        _run(
            "CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events "
            "BEGIN SELECT RAISE(ABORT, 'events are immutable'); END"
        )
    else:
        _run("DROP FUNCTION ws_refuse_unarchived()")
        _run("DROP FUNCTION ws_refuse_unauthorised()")
        _run(
            "CREATE TRIGGER events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
            "FOR EACH STATEMENT EXECUTE FUNCTION ws_refuse('events are immutable')"
        )


def _append() -> str:
    """Return the statement that creates `ws_append` as of the revision before."""
    module: ModuleType = context.script.get_revision(down_revision).module
    statement: str = module.append_statement()
    return statement


def _with_archives(statement: str) -> str:
    for found, replaced in _LAST_VERSIONS.items():
        if found not in statement:
            raise AssertionError(found)
        statement = statement.replace(found, replaced)
    return statement


def _replace_append(statement: str) -> None:
    _run(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))


def _run(statement: str) -> None:
    """Run a statement as a driver sees it: neither colons nor percent signs are parameters."""
    op.get_bind().connection.cursor().execute(statement)
